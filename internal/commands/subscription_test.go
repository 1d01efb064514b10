package commands

import (
	"testing"

	"github.com/tidings-io/tidings/internal/events"
)

func TestSubscription(t *testing.T) {
	t.Parallel()
	high := events.Rules{MinSeverity: events.SeverityHigh}
	subscribed := events.Subscribed{User: "alice", Topic: "builds"}
	unsubscribed := events.Unsubscribed{User: "alice", Topic: "builds"}
	type given = []events.SubscriptionEvent
	check(t, map[string]spec[Subscription, events.SubscriptionEvent]{
		"subscribing begins a subscription": {
			when: Subscribe{User: "alice", Topic: "builds", Rules: high},
			then: given{events.Subscribed{User: "alice", Topic: "builds", Rules: high}},
		},
		"subscribing with the same rules changes nothing": {
			given: given{subscribed},
			when:  Subscribe{User: "alice", Topic: "builds"},
		},
		"subscribing with other rules replaces the rules": {
			given: given{subscribed},
			when:  Subscribe{User: "alice", Topic: "builds", Rules: high},
			then:  given{events.SubscriptionChanged{User: "alice", Topic: "builds", Rules: high}},
		},
		"changed rules can be changed back": {
			given: given{subscribed, events.SubscriptionChanged{User: "alice", Topic: "builds", Rules: high}},
			when:  Subscribe{User: "alice", Topic: "builds"},
			then:  given{events.SubscriptionChanged{User: "alice", Topic: "builds"}},
		},
		"subscribing after unsubscribing begins anew": {
			given: given{subscribed, unsubscribed},
			when:  Subscribe{User: "alice", Topic: "builds"},
			then:  given{subscribed},
		},
		"joining subscribes with default rules": {
			when: Join{User: "alice", Topic: "builds"},
			then: given{subscribed},
		},
		"joining keeps the rules of a subscriber": {
			given: given{events.Subscribed{User: "alice", Topic: "builds", Rules: high}},
			when:  Join{User: "alice", Topic: "builds"},
		},
		"unsubscribing ends the subscription": {
			given: given{subscribed},
			when:  Unsubscribe{User: "alice", Topic: "builds"},
			then:  given{unsubscribed},
		},
		"unsubscribing who never subscribed changes nothing": {
			when: Unsubscribe{User: "alice", Topic: "builds"},
		},
		"unsubscribing twice changes nothing": {
			given: given{subscribed, unsubscribed},
			when:  Unsubscribe{User: "alice", Topic: "builds"},
		},
	})
}

func TestSinceIsKeptThroughChanges(t *testing.T) {
	t.Parallel()
	s := Subscription{}.
		Evolve(events.Subscribed{User: "alice", Topic: "builds"}, 5).
		Evolve(events.SubscriptionChanged{User: "alice", Topic: "builds", Rules: events.Rules{MinSeverity: events.SeverityHigh}}, 9)
	if s.Since != 5 {
		t.Errorf("since = %s, want 5", s.Since)
	}
	s = s.Evolve(events.Unsubscribed{}, 10).Evolve(events.Subscribed{}, 12)
	if s.Since != 12 || s.MinSeverity != events.SeverityLow {
		t.Errorf("subscribed anew: since %s, min_severity %s, want 12 and low", s.Since, s.MinSeverity)
	}
}
