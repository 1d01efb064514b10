package projections

import (
	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
)

// user and topic are names with their ids; id 0 is one that has none yet.
type user struct {
	id   int64
	name string
}

type topic struct {
	id          int64
	name        string
	subscribers int64
	changed     bool
	description *string // set where it was described anew
}

// pair is one subscription.
type pair struct {
	topic events.Topic
	user  events.User
}

// notification is one that a later event is about.
type notification struct {
	position  int64
	retracted bool
}

// known is what the tables already hold of what a batch speaks about.
type known struct {
	users         map[events.User]*user
	topics        map[events.Topic]*topic
	open          map[pair]*period
	notifications map[uuid.UUID]*notification
}

func newKnown() known {
	return known{
		users:         map[events.User]*user{},
		topics:        map[events.Topic]*topic{},
		open:          map[pair]*period{},
		notifications: map[uuid.UUID]*notification{},
	}
}

// mentions is what a batch speaks about, each once.
type mentions struct {
	users         set[events.User]
	topics        set[events.Topic]
	pairs         set[pair]
	notifications set[uuid.UUID] // only those retracted: the others are new
}

type set[T comparable] map[T]struct{}

func (s set[T]) add(t T) { s[t] = struct{}{} }

func mentionsOf(evs []events.Recorded) mentions {
	m := mentions{set[events.User]{}, set[events.Topic]{}, set[pair]{}, set[uuid.UUID]{}}
	for _, r := range evs {
		m.add(r.Event)
	}
	return m
}

func (m mentions) add(e events.Event) {
	switch e := e.(type) {
	case events.Subscribed:
		m.pair(e.User, e.Topic)
	case events.SubscriptionChanged:
		m.pair(e.User, e.Topic)
	case events.Unsubscribed:
		m.pair(e.User, e.Topic)
	case events.Published:
		for _, t := range e.To {
			m.target(t)
		}
	case events.Retracted:
		m.notifications.add(e.NotificationID)
	case events.TopicDescribed:
		m.topics.add(e.Topic)
	case events.InboxEvent:
		m.users.add(e.On().User)
	}
}

func (m mentions) pair(u events.User, t events.Topic) {
	m.users.add(u)
	m.topics.add(t)
	m.pairs.add(pair{t, u})
}

func (m mentions) target(t events.Target) {
	if t.User != "" {
		m.users.add(t.User)
	} else {
		m.topics.add(t.Topic)
	}
}
