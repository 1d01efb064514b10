package queries

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
)

// named says whether the notification was for the user as such.
func (x *explainer) named() bool {
	return slices.Contains(x.published.To, events.Target{User: x.user})
}

// passed is the order by which the publish was passed over; nil where it was not.
func (x *explainer) passed() *events.Recorded {
	if r, passed := x.skipped[x.publish.Position]; passed {
		return &r
	}
	return nil
}

func (x *explainer) received() bool {
	reached := func(s standing) bool { return s.reached }
	return x.passed() == nil && (x.named() || slices.ContainsFunc(x.topics, reached))
}

func (x *explainer) explanation() Explanation {
	e := Explanation{
		NotificationID: x.id, User: x.user, Received: x.received(), Position: x.publish.Position,
		To: events.SeenBy(x.published.To, x.user), Steps: []ExplainStep{x.publishedStep()},
	}
	for _, s := range x.topics {
		e.Steps = append(e.Steps, s.steps(e.Received)...)
	}
	if by := x.passed(); by != nil {
		step := newStep(*by, "an operator had the publish passed over, as it could not be applied")
		step.Decides = true
		e.Steps = append(e.Steps, step)
	}
	e.State = x.state(&e.Steps)
	slices.SortStableFunc(e.Steps, func(a, b ExplainStep) int { return cmp.Compare(a.Position, b.Position) })
	e.Verdict = x.verdict(e)
	return e
}

func newStep(r events.Recorded, finding string) ExplainStep {
	return ExplainStep{
		Position: r.Position, Type: r.Event.Type(), Stream: r.Stream, Revision: r.Revision, At: r.At,
		Actor: r.Metadata.Actor, CorrelationID: r.Metadata.CorrelationID, Finding: finding,
	}
}

// publishedStep is the publish, with what became of each target the user may know of.
func (x *explainer) publishedStep() ExplainStep {
	step := newStep(x.publish, "published with severity "+x.published.Severity.String())
	step.Decides = true
	if x.named() {
		step.Targets = append(step.Targets, ExplainTarget{Target: events.Target{User: x.user}, Reached: true, Finding: "named"})
	}
	for _, s := range x.topics {
		step.Targets = append(step.Targets, ExplainTarget{Target: events.Target{Topic: s.topic}, Reached: s.reached, Finding: s.finding})
	}
	if len(step.Targets) == 0 {
		step.Finding += ", to others by name"
	}
	return step
}

// state folds what came after the publish, and adds its steps.
func (x *explainer) state(steps *[]ExplainStep) ExplainState {
	var marks inbox.Marks
	for _, r := range x.changes {
		e, ok := r.Event.(events.InboxEvent)
		if !ok || !x.concerned(r, e) {
			continue
		}
		before, change := marks, inbox.NewChange(e).Change
		if marks.Apply(change, r.At); marks != before {
			step := newStep(r, "the user's change: "+change+scope(e.On()))
			step.Decides = change == "delete"
			*steps = append(*steps, step)
		}
	}
	state := ExplainState{
		SeenAt: marks.SeenAt, ReadAt: marks.ReadAt, ArchivedAt: marks.ArchivedAt, DeletedAt: marks.DeletedAt,
		ExpiresAt: x.published.ExpiresAt, Expired: x.published.ExpiresAt != nil && !x.published.ExpiresAt.After(x.now),
		Retained: x.retained,
	}
	if x.retracted != nil {
		state.Retracted, state.RetractedAt = true, &x.retracted.At
		step := newStep(*x.retracted, "retracted here: it left every inbox")
		step.Decides = x.received()
		*steps = append(*steps, step)
	}
	return state
}

// scope says so where a change is of all items up to a position.
func scope(on events.Items) string {
	if on.Through == 0 {
		return ""
	}
	return ", of all up to position " + on.Through.String()
}

// concerned says whether a change was about the notification, which the user had
// received and which was not retracted by then.
func (x *explainer) concerned(r events.Recorded, e events.InboxEvent) bool {
	on := e.On()
	return (slices.Contains(on.IDs, x.id) || x.publish.Position <= on.Through) &&
		(x.retracted == nil || r.Position < x.retracted.Position)
}

// verdict is the answer in one sentence.
func (x *explainer) verdict(e Explanation) string {
	switch {
	case x.passed() != nil:
		return fmt.Sprintf("%s did not get it: an operator had the publish passed over", x.user)
	case !e.Received:
		return fmt.Sprintf("%s did not get it: %s", x.user, x.missed())
	}
	return fmt.Sprintf("%s got it, %s%s", x.user, x.reason(), since(e.State))
}

// missed is why no target reached the user; topics they had a subscription to come
// before others.
func (x *explainer) missed() string {
	if len(x.topics) == 0 {
		return "it was for others by name"
	}
	first := slices.MaxFunc(x.topics, func(a, b standing) int { return cmp.Compare(a.closeness(), b.closeness()) })
	reason := fmt.Sprintf("by topic %s it did not come: %s", first.topic, first.finding)
	if n := len(x.topics) - 1; n > 0 {
		reason += fmt.Sprintf("; nor by %d more", n)
	}
	return reason
}

// closeness orders topics by how near they came to reaching the user.
func (s *standing) closeness() int {
	switch {
	case s.subscribed():
		return 3
	case s.left != nil:
		return 2
	case s.later != nil:
		return 1
	}
	return 0
}

// reason is by what it came.
func (x *explainer) reason() string {
	var topics []string
	for _, s := range x.topics {
		if s.reached {
			topics = append(topics, string(s.topic))
		}
	}
	switch {
	case len(topics) == 0:
		return "being named"
	case x.named():
		return "being named, and subscribed to " + strings.Join(topics, ", ")
	}
	return "being subscribed to " + strings.Join(topics, ", ")
}

// since is what has hidden it by now.
func since(s ExplainState) string {
	at := func(t *time.Time) string { return t.UTC().Format(time.RFC3339) }
	switch {
	case s.DeletedAt != nil:
		return ", and deleted it at " + at(s.DeletedAt)
	case s.Retracted:
		return "; it was retracted at " + at(s.RetractedAt)
	case s.Expired:
		return "; it expired at " + at(s.ExpiresAt)
	case s.Retained != nil && !*s.Retained:
		return "; retention hides it by now"
	case s.ArchivedAt != nil:
		return ", and archived it at " + at(s.ArchivedAt)
	}
	return ""
}
