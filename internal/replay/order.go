package replay

// order decides which steps may run: a step is ready once every earlier step whose order with it matters is done. It
// is a pure structure without locks or clock, owned by one goroutine, and remembers only steps that are not done.
type order struct {
	publish     *step                  // the last one, while it is not done
	topics      map[string]*topicOrder // those that steps which are not done are about
	chains      map[chain]*step        // the last step of each, while it is not done
	preferences map[*step]struct{}     // since the last publish, not done
}

// topicOrder is what later steps about a topic must wait for.
type topicOrder struct {
	publish *step              // the last one to it, while it is not done
	changes map[*step]struct{} // changes of its subscriptions since then that are not done
}

// chain names steps of which each waits for the one before it: changes of one subscription, of one user's preferences,
// of one user's items, of one topic's description.
type chain struct {
	kind        kind
	user, topic string
}

func newOrder() *order {
	return &order{topics: map[string]*topicOrder{}, chains: map[chain]*step{}, preferences: map[*step]struct{}{}}
}

// add takes the next step of the log. It is ready at once if it waits for nothing.
func (o *order) add(s *step) {
	switch s.form.kind {
	case publishes:
		o.addPublish(s)
	case subscribes, unsubscribes:
		topic := o.topic(s.fact.Topic)
		s.after(topic.publish)
		topic.changes[s] = struct{}{}
	case prefers:
		s.after(o.publish)
		o.preferences[s] = struct{}{}
	case marks, retracts:
		s.after(o.publish)
	case describes, ofTheInstance:
	}
	if c, ok := s.chain(); ok {
		s.after(o.chains[c])
		o.chains[c] = s
	}
}

// addPublish makes a publish wait for the last one, for the changes of its topics' subscriptions since the last one to
// them, and for all changes of preferences since the last one: what they take back is not known here.
func (o *order) addPublish(s *step) {
	s.after(o.publish)
	o.publish = s
	for _, name := range s.fact.topics() {
		topic := o.topic(name)
		for change := range topic.changes {
			s.after(change)
		}
		topic.publish = s
		clear(topic.changes)
	}
	for change := range o.preferences {
		s.after(change)
	}
	clear(o.preferences)
}

// done takes a step that ran and returns those that are ready now.
func (o *order) done(s *step) []*step {
	o.forget(s)
	var ready []*step
	for _, next := range s.before {
		if next.waitFor--; next.waitFor == 0 {
			ready = append(ready, next)
		}
	}
	s.before = nil
	return ready
}

func (o *order) forget(s *step) {
	if c, ok := s.chain(); ok && o.chains[c] == s {
		delete(o.chains, c)
	}
	delete(o.preferences, s)
	if o.publish == s {
		o.publish = nil
	}
	names := s.fact.topics()
	if s.form.kind == subscribes || s.form.kind == unsubscribes {
		names = []string{s.fact.Topic}
	}
	for _, name := range names {
		topic, known := o.topics[name]
		if !known {
			continue
		}
		if topic.publish == s {
			topic.publish = nil
		}
		delete(topic.changes, s)
		if topic.publish == nil && len(topic.changes) == 0 {
			delete(o.topics, name)
		}
	}
}

func (o *order) topic(name string) *topicOrder {
	t := o.topics[name]
	if t == nil {
		t = &topicOrder{changes: map[*step]struct{}{}}
		o.topics[name] = t
	}
	return t
}
