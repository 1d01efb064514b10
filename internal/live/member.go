package live

import (
	"slices"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/filter"
	"github.com/tidings-io/tidings/internal/inbox"
)

// member is what is known of one user: their periods in the whole log up to a
// position, closed ones included, so that what happened at any position up to
// there can be judged.
type member struct {
	user events.User
	// known is the position the periods came with: what subscription and contact
	// events up to it did is in them, and in muted, already.
	known  events.Position
	topics map[events.Topic]*membership
	muted  map[events.Topic]bool // subscribed or not; nil: none

	readers []*reader // once in the hub's maps
}

// membership is a user's periods in one topic, oldest first. They do not overlap.
type membership struct{ periods []inbox.Period }

func newMember(user events.User, s inbox.Snapshot) *member {
	m := &member{user: user, known: s.Position, topics: make(map[events.Topic]*membership), muted: set(s.Muted)}
	for _, p := range s.Periods {
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

func set(topics []events.Topic) map[events.Topic]bool {
	if len(topics) == 0 {
		return nil
	}
	in := make(map[events.Topic]bool, len(topics))
	for _, topic := range topics {
		in[topic] = true
	}
	return in
}

func (m *member) in(topic events.Topic) *membership {
	ms := m.topics[topic]
	if ms == nil {
		ms = &membership{}
		m.topics[topic] = ms
	}
	return ms
}

// admits says whether what was published to the topic then reached the user. A
// retraction has nothing to judge: it is told to all whom the notification reached
// but for their filters.
func (ms *membership) admits(at events.Position, severity events.Severity, judged *filter.Candidate) bool {
	for _, p := range slices.Backward(ms.periods) {
		if p.From < at {
			return p.Covers(at, severity) && (judged == nil || judged.Matches(p.Filter, p.Topic))
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

// subscribe folds one event of a subscription of the user, and answers the
// membership it is about.
func (m *member) subscribe(e events.SubscriptionEvent, at events.Position) *membership {
	_, topic := subscription(e)
	ms := m.in(topic)
	since := ms.end(at)
	switch e := e.(type) {
	case events.Subscribed:
		ms.begin(since, inbox.Period{Topic: topic, From: at, Muted: m.muted[topic], Rules: e.Rules})
	case events.SubscriptionChanged:
		ms.begin(since, inbox.Period{Topic: topic, From: at, Muted: m.muted[topic], Rules: e.Rules})
	}
	return ms
}

// prefer folds preferences of the user: what was muted, or is no more, ends one
// period and begins the next.
func (m *member) prefer(e events.PreferencesSet, at events.Position) {
	m.muted = set(e.MutedTopics)
	for topic, ms := range m.topics {
		open := ms.open()
		if open == nil || open.Muted == m.muted[topic] {
			continue
		}
		next := *open
		next.From, next.Until, next.Muted = at, 0, m.muted[topic]
		ms.begin(ms.end(at), next)
	}
}

// open is the period that lasts, or nil. It is good until the next change.
func (ms *membership) open() *inbox.Period {
	if last := len(ms.periods) - 1; last >= 0 && ms.periods[last].Until == 0 {
		return &ms.periods[last]
	}
	return nil
}

// end ends the period that lasts, and says where the subscription began; 0 when
// none does.
func (ms *membership) end(at events.Position) (since events.Position) {
	open := ms.open()
	if open == nil {
		return 0
	}
	open.Until = at
	return open.Since
}

// begin begins a period of the subscription that began at since; 0: here.
func (ms *membership) begin(since events.Position, p inbox.Period) {
	if p.Since = since; since == 0 {
		p.Since = p.From
	}
	ms.periods = append(ms.periods, p)
}

// concerns says whether the event tells the user anything. The hub finds the
// same users by its maps.
func (m *member) concerns(e *logged) bool {
	switch ev := e.event.(type) {
	case events.Published:
		return m.received(ev.To, e.position, ev.Severity, e.judged)
	case events.Retracted:
		return m.received(ev.To, ev.PublishedPosition, ev.Severity, e.judged)
	case events.InboxEvent:
		return ev.On().User == m.user
	default:
		return false
	}
}

func (m *member) received(to []events.Target, at events.Position, severity events.Severity, judged *filter.Candidate) bool {
	return slices.ContainsFunc(to, func(t events.Target) bool {
		if t.User != "" {
			return t.User == m.user
		}
		ms := m.topics[t.Topic]
		return ms != nil && ms.admits(at, severity, judged)
	})
}
