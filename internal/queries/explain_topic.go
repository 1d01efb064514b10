package queries

import (
	"fmt"

	"github.com/tidings-io/tidings/internal/events"
)

// standing is how the user stood to a topic when the notification was published:
// the events that made it so, and the verdict.
type standing struct {
	topic events.Topic
	began *events.Recorded // the last Subscribed before the publish
	ruled *events.Recorded // the event whose rules held
	rules events.Rules
	left  *events.Recorded // the Unsubscribed that ended it before the publish
	later *events.Recorded // the first Subscribed after the publish
	muted *events.Recorded // the PreferencesSet that muted the topic

	reached bool
	finding string
	by      *events.Recorded // the event that decided it, but for the publish
}

// take folds the next event of the subscription.
func (s *standing) take(r events.Recorded, publish events.Position) {
	if r.Position > publish {
		if _, subscribed := r.Event.(events.Subscribed); subscribed && s.later == nil {
			s.later = &r
		}
		return
	}
	switch e := r.Event.(type) {
	case events.Subscribed:
		s.began, s.ruled, s.rules, s.left = &r, &r, e.Rules, nil
	case events.SubscriptionChanged:
		s.ruled, s.rules = &r, e.Rules
	case events.Unsubscribed:
		s.left = &r
	}
}

func (s *standing) subscribed() bool { return s.began != nil && s.left == nil }

// judge says whether the notification came by this topic, and why.
func (s *standing) judge(x *explainer) {
	severity := x.published.Severity
	switch {
	case !s.subscribed() && s.left != nil:
		s.by, s.finding = s.left, fmt.Sprintf("unsubscribed before the publish, at position %s", s.left.Position)
	case !s.subscribed() && s.later != nil:
		s.by, s.finding = s.later, fmt.Sprintf("subscribed only after the publish, at position %s", s.later.Position)
	case !s.subscribed():
		s.finding = "not subscribed"
	case s.muted != nil:
		s.by, s.finding = s.muted, fmt.Sprintf("the topic was muted since position %s", s.muted.Position)
	case severity < s.rules.MinSeverity:
		s.by, s.finding = s.ruled, fmt.Sprintf("severity %s is below min_severity %s", severity, s.rules.MinSeverity)
	default:
		s.by = s.ruled
		s.reached, s.finding = s.filtered(x)
	}
}

func (s *standing) filtered(x *explainer) (reached bool, finding string) {
	matched, err := x.candidate.Explain(s.rules.Filter, s.topic)
	switch {
	case err != nil:
		return false, fmt.Sprintf("the filter %s could not be evaluated, which is no match: %s", s.rules.Filter, err)
	case !matched:
		return false, fmt.Sprintf("the filter %s did not match", s.rules.Filter)
	case s.rules.Filter != "":
		return true, fmt.Sprintf("subscribed, severity %s is enough, and the filter %s matched", x.published.Severity, s.rules.Filter)
	}
	return true, fmt.Sprintf("subscribed, and severity %s is enough", x.published.Severity)
}

// steps are the events of the subscription that had a part in the verdict. Where
// the notification was received, only those that let it through decide.
func (s *standing) steps(received bool) []ExplainStep {
	var steps []ExplainStep
	add := func(r *events.Recorded, finding string) {
		if r != nil {
			step := newStep(*r, finding)
			step.Topic, step.Decides = s.topic, (r == s.by || s.reached && r == s.began) && s.reached == received
			steps = append(steps, step)
		}
	}
	add(s.began, "subscribed here"+rulesOf(s.began)+s.verdictOn(s.began))
	if s.ruled != s.began {
		add(s.ruled, "changed the subscription here"+rulesOf(s.ruled)+s.verdictOn(s.ruled))
	}
	if s.subscribed() {
		add(s.muted, "muted the topic here")
		return steps
	}
	add(s.left, "unsubscribed here, before the publish")
	add(s.later, "subscribed here"+rulesOf(s.later)+", after the publish")
	return steps
}

// verdictOn is what the rules of an event led to, if they were the ones.
func (s *standing) verdictOn(r *events.Recorded) string {
	if r != s.by || s.reached {
		return ""
	}
	return "; " + s.finding
}

// rulesOf are the rules of a subscription event, as they read in a sentence.
func rulesOf(r *events.Recorded) string {
	if r == nil {
		return ""
	}
	var rules events.Rules
	switch e := r.Event.(type) {
	case events.Subscribed:
		rules = e.Rules
	case events.SubscriptionChanged:
		rules = e.Rules
	}
	switch {
	case rules.Filter == "":
		return fmt.Sprintf(" with min_severity %s", rules.MinSeverity)
	default:
		return fmt.Sprintf(" with min_severity %s and the filter %s", rules.MinSeverity, rules.Filter)
	}
}
