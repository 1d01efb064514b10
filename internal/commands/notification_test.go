package commands

import (
	"testing"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
)

func TestNotification(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse("5f0d3a8c-5b0e-4c39-9d6f-0f5b8c1f7a11")
	to := []events.Target{{Topic: "builds"}, {User: "alice"}}
	published := events.Published{
		NotificationID: id, To: to, Severity: events.SeverityHigh, Content: events.Content{Title: "red"},
	}
	retracted := events.Retracted{NotificationID: id, PublishedPosition: 1, To: to, Severity: events.SeverityHigh}
	type given = []events.NotificationEvent
	check(t, map[string]spec[Notification, events.NotificationEvent]{
		"publishing puts it out": {
			when: Publish{published},
			then: given{published},
		},
		"publishing twice publishes once": {
			given: given{published},
			when:  Publish{published},
		},
		"publishing after a retraction does not bring it back": {
			given: given{published, retracted},
			when:  Publish{published},
		},
		"retracting repeats what says who had it": {
			given: given{published},
			when:  Retract{id},
			then:  given{retracted},
		},
		"retracting twice retracts once": {
			given: given{published, retracted},
			when:  Retract{id},
		},
		"what was never published cannot be retracted": {
			when:    Retract{id},
			refused: CodeNotFound,
		},
	})
}

func TestTopic(t *testing.T) {
	t.Parallel()
	described := events.TopicDescribed{Topic: "builds", Description: "of main"}
	check(t, map[string]spec[Topic, events.TopicEvent]{
		"describing a topic says what it is for": {
			when: DescribeTopic{"builds", "of main"},
			then: []events.TopicEvent{described},
		},
		"an empty description is one": {
			when: DescribeTopic{"builds", ""},
			then: []events.TopicEvent{events.TopicDescribed{Topic: "builds"}},
		},
		"the same description changes nothing": {
			given: []events.TopicEvent{described},
			when:  DescribeTopic{"builds", "of main"},
		},
		"another description replaces it": {
			given: []events.TopicEvent{described},
			when:  DescribeTopic{"builds", "of everything"},
			then:  []events.TopicEvent{events.TopicDescribed{Topic: "builds", Description: "of everything"}},
		},
	})
}

func TestStoreIsNamedOnce(t *testing.T) {
	t.Parallel()
	first, second := uuid.MustParse("00000000-0000-4000-8000-000000000001"), uuid.MustParse("00000000-0000-4000-8000-000000000002")
	check(t, map[string]spec[Log, events.StoreNamed]{
		"an empty store gets a name": {
			when: NameStore{first},
			then: []events.StoreNamed{{StoreID: first}},
		},
		"a named store keeps it": {
			given: []events.StoreNamed{{StoreID: first}},
			when:  NameStore{second},
		},
	})
}
