package replay

// step is an event that is being played.
type step struct {
	event Event
	form  form
	fact  fact

	waitFor  int     // steps before it that are not done
	before   []*step // steps that wait for it
	finished bool
}

// chain is the one the step belongs to, if any.
func (s *step) chain() (chain, bool) {
	c := chain{kind: s.form.kind, user: s.fact.User}
	switch s.form.kind {
	case subscribes, unsubscribes:
		c.kind, c.topic = subscribes, s.fact.Topic
	case describes:
		c.topic = s.fact.Topic
	case prefers, marks:
	case ofTheInstance, publishes, retracts:
		return chain{}, false
	}
	return c, true
}

// after makes s wait for earlier, if there is one.
func (s *step) after(earlier *step) {
	if earlier == nil || earlier.finished {
		return
	}
	earlier.before = append(earlier.before, s)
	s.waitFor++
}

// bytes is about what the step holds in memory.
func (s *step) bytes() int { return stepBytes + 3*len(s.event.Data) }

// stepBytes is what a step holds besides what its event says, which it holds once as text and once taken apart.
const stepBytes = 1 << 10
