package projections

import (
	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
)

// user and topic are names with their ids.
type user struct {
	id   int64
	name string
}

type topic struct {
	id          int64
	name        string
	subscribers int64
	added       bool // it is new in this batch
	changed     bool
	description *string              // set where it was described anew
	audiences   map[string]*audience // by filter, those that are known
}

// add makes an audience known that the topic has.
func (t *topic) add(a *audience) {
	if t.audiences == nil {
		t.audiences = make(map[string]*audience, 1)
	}
	t.audiences[a.filter] = a
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
	ids           ids
	clock         inbox.Clock
	users         map[events.User]*user
	topics        map[events.Topic]*topic
	open          map[pair]*period
	muted         set[pair] // of those that begin, where the user had muted the topic before
	mutes         map[events.User]set[events.Topic]
	notifications map[uuid.UUID]*notification
}

func newKnown() known {
	return known{
		users:         map[events.User]*user{},
		topics:        map[events.Topic]*topic{},
		open:          map[pair]*period{},
		muted:         set[pair]{},
		mutes:         map[events.User]set[events.Topic]{},
		notifications: map[uuid.UUID]*notification{},
	}
}

// note keeps mutes: topics of a user that may have an open period that is muted.
func (k *known) note(of pair, p *period) {
	if !p.muted {
		return
	}
	if k.mutes[of.user] == nil {
		k.mutes[of.user] = set[events.Topic]{}
	}
	k.mutes[of.user].add(of.topic)
}

// mentions is what a batch speaks about, each once.
type mentions struct {
	users         set[events.User]
	topics        set[events.Topic]
	published     set[events.Topic] // whose audiences all count
	pairs         set[pair]
	begun         set[pair]
	preferring    set[events.User]
	audiences     set[audienceName]
	notifications set[uuid.UUID] // only those retracted: the others are new
}

type audienceName struct {
	topic  events.Topic
	filter string
}

type set[T comparable] map[T]struct{}

func (s set[T]) add(t T) { s[t] = struct{}{} }

func mentionsOf(evs []events.Recorded) mentions {
	m := mentions{
		set[events.User]{}, set[events.Topic]{}, set[events.Topic]{}, set[pair]{}, set[pair]{}, set[events.User]{},
		set[audienceName]{}, set[uuid.UUID]{},
	}
	for _, r := range evs {
		m.add(r.Event)
	}
	return m
}

func (m mentions) add(e events.Event) {
	switch e := e.(type) {
	case events.Subscribed:
		m.pair(e.User, e.Topic)
		m.begun.add(pair{e.Topic, e.User})
		m.audiences.add(audienceName{e.Topic, text(e.Filter)})
	case events.SubscriptionChanged:
		m.pair(e.User, e.Topic)
		m.audiences.add(audienceName{e.Topic, text(e.Filter)})
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
	case events.PreferencesSet:
		m.users.add(e.User)
		m.preferring.add(e.User)
		for _, t := range e.MutedTopics {
			m.pair(e.User, t)
		}
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
		return
	}
	m.topics.add(t.Topic)
	m.published.add(t.Topic)
	m.audiences.add(audienceName{topic: t.Topic})
}
