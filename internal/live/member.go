package live

import (
	"slices"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
)

// member is what is known of one user: their periods in the whole log up to a
// position, closed ones included, so that what happened at any position up to
// there can be judged.
type member struct {
	user events.User
	// known is the position the periods came with: subscription events up to it are
	// in them already.
	known  events.Position
	topics map[events.Topic]*membership

	readers []*reader // once in the hub's maps
}

// membership is a user's periods in one topic, oldest first. They do not overlap.
type membership struct{ periods []inbox.Period }

func newMember(user events.User, known events.Position, periods []inbox.Period) *member {
	m := &member{user: user, known: known, topics: make(map[events.Topic]*membership)}
	for _, p := range periods {
		ms := m.in(p.Topic)
		ms.periods = append(ms.periods, p)
	}
	for _, ms := range m.topics {
		slices.SortFunc(ms.periods, func(a, b inbox.Period) int {
			if a.From < b.From {
				return -1
			}
			return 1
		})
	}
	return m
}

func (m *member) in(topic events.Topic) *membership {
	ms := m.topics[topic]
	if ms == nil {
		ms = &membership{}
		m.topics[topic] = ms
	}
	return ms
}

// admits says whether what was published to the topic then reached the user.
func (ms *membership) admits(at events.Position, severity events.Severity) bool {
	for _, p := range slices.Backward(ms.periods) {
		if p.From < at {
			return p.Covers(at, severity)
		}
	}
	return false
}

// subscription is whose subscription to what an event is about.
func subscription(e events.SubscriptionEvent) (events.User, events.Topic) {
	switch e := e.(type) {
	case events.Subscribed:
		return e.User, e.Topic
	case events.SubscriptionChanged:
		return e.User, e.Topic
	case events.Unsubscribed:
		return e.User, e.Topic
	default:
		panic("live: an unknown event of a subscription")
	}
}

// apply folds one event of the subscription. A change of rules ends one period
// and begins the next at the same position.
func (ms *membership) apply(e events.SubscriptionEvent, at events.Position) {
	since := at
	if last := len(ms.periods) - 1; last >= 0 && ms.periods[last].Until == 0 {
		ms.periods[last].Until = at
		since = ms.periods[last].Since
	}
	switch e := e.(type) {
	case events.Subscribed:
		ms.periods = append(ms.periods, inbox.Period{Topic: e.Topic, From: at, Since: since, Rules: e.Rules})
	case events.SubscriptionChanged:
		ms.periods = append(ms.periods, inbox.Period{Topic: e.Topic, From: at, Since: since, Rules: e.Rules})
	}
}

// concerns says whether the event tells the user anything. The hub finds the
// same users by its maps.
func (m *member) concerns(e *logged) bool {
	switch ev := e.event.(type) {
	case events.Published:
		return m.received(ev.To, e.position, ev.Severity)
	case events.Retracted:
		return m.received(ev.To, ev.PublishedPosition, ev.Severity)
	case events.InboxEvent:
		return ev.On().User == m.user
	default:
		return false
	}
}

func (m *member) received(to []events.Target, at events.Position, severity events.Severity) bool {
	return slices.ContainsFunc(to, func(t events.Target) bool {
		if t.User != "" {
			return t.User == m.user
		}
		ms := m.topics[t.Topic]
		return ms != nil && ms.admits(at, severity)
	})
}
