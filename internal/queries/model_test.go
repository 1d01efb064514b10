package queries_test

import (
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/filter"
	"github.com/tidings-io/tidings/internal/inbox"
	"github.com/tidings-io/tidings/internal/queries"
)

// model answers every query the slow and obvious way: it walks the log once and
// keeps, for each user, what they received and what they were told. An answer of
// the past is the answer of the log's beginning, so that it needs nothing of its
// own. It shares nothing with the statements under test, nor with the book.
type model struct {
	position  events.Position
	latest    time.Time
	keep      inbox.Retention
	clock     []tick
	count     int
	subs      map[events.User]map[events.Topic]*inbox.Period // open ones
	periods   map[events.User][]*inbox.Period
	muted     map[events.User][]events.Topic
	published map[uuid.UUID]*publication
	order     []*publication
	told      map[events.User][]inbox.Entry // changes and retractions
	described map[events.Topic]string       // every topic there is
}

// tick is a position with the highest time recorded up to it, and how many events.
type tick struct {
	events.Position
	time.Time
	count int
}

type publication struct {
	events.Recorded
	events.Published
	retracted bool
	received  map[events.User]*marks
}

type marks struct{ seen, read, archived, deleted *time.Time }

func fold(log []events.Recorded) *model {
	m := &model{
		subs:      make(map[events.User]map[events.Topic]*inbox.Period),
		periods:   make(map[events.User][]*inbox.Period),
		muted:     make(map[events.User][]events.Topic),
		published: make(map[uuid.UUID]*publication),
		told:      make(map[events.User][]inbox.Entry),
		described: make(map[events.Topic]string),
	}
	for _, r := range log {
		m.apply(r)
		m.tick(r)
	}
	return m
}

func (m *model) tick(r events.Recorded) {
	m.position, m.count = r.Position, m.count+1
	if r.At.After(m.latest) {
		m.latest = r.At
	}
	n := len(m.clock)
	if n == 0 || m.count-m.clock[n-1].count >= 256 || m.latest.Sub(m.clock[n-1].Time) >= time.Second {
		m.clock = append(m.clock, tick{r.Position, m.latest, m.count})
	}
}

func (m *model) apply(r events.Recorded) {
	switch e := r.Event.(type) {
	case events.Subscribed:
		m.topic(e.Topic)
		m.open(r, e.User, inbox.Period{Topic: e.Topic, Since: r.Position, Rules: e.Rules, Muted: slices.Contains(m.muted[e.User], e.Topic)})
	case events.SubscriptionChanged:
		p := m.shut(r, e.User, e.Topic)
		p.Rules = e.Rules
		m.open(r, e.User, p)
	case events.Unsubscribed:
		m.shut(r, e.User, e.Topic)
	case events.PreferencesSet:
		m.muted[e.User] = e.MutedTopics
		for topic, p := range m.subs[e.User] {
			if muted := slices.Contains(e.MutedTopics, topic); p.Muted != muted {
				next := m.shut(r, e.User, topic)
				next.Muted = muted
				m.open(r, e.User, next)
			}
		}
	case events.TopicDescribed:
		m.described[e.Topic] = e.Description
	case events.Published:
		m.publish(r, e)
	case events.Retracted:
		n := m.published[e.NotificationID]
		n.retracted = true
		for user := range n.received {
			m.told[user] = append(m.told[user], inbox.Entry{Position: r.Position, Retracted: &e.NotificationID})
		}
	case events.InboxEvent:
		m.change(r, e)
	}
}

func (m *model) topic(t events.Topic) { m.described[t] += "" }

func (m *model) open(r events.Recorded, u events.User, p inbox.Period) {
	if m.subs[u] == nil {
		m.subs[u] = make(map[events.Topic]*inbox.Period)
	}
	p.From = r.Position
	m.subs[u][p.Topic] = &p
	m.periods[u] = append(m.periods[u], &p)
}

// shut ends an open period and returns what it was.
func (m *model) shut(r events.Recorded, u events.User, t events.Topic) inbox.Period {
	p := m.subs[u][t]
	was := *p
	p.Until = r.Position
	delete(m.subs[u], t)
	return was
}

func (m *model) publish(r events.Recorded, e events.Published) {
	n := &publication{Recorded: r, Published: e, received: make(map[events.User]*marks)}
	for _, target := range e.To {
		if target.User != "" {
			n.received[target.User] = new(marks)
			continue
		}
		m.topic(target.Topic)
		for user, subs := range m.subs {
			p := subs[target.Topic]
			if p != nil && !p.Muted && p.MinSeverity <= e.Severity && filter.Of(e).Matches(p.Filter, p.Topic) {
				n.received[user] = new(marks)
			}
		}
	}
	m.published[e.NotificationID] = n
	m.order = append(m.order, n)
}

func (m *model) change(r events.Recorded, e events.InboxEvent) {
	items := e.On()
	change := inbox.NewChange(e)
	m.told[items.User] = append(m.told[items.User], inbox.Entry{Position: r.Position, Change: &change})
	for _, n := range m.order {
		mark := n.received[items.User]
		covered := items.Through > 0 && n.Position <= items.Through || slices.Contains(items.IDs, n.NotificationID)
		if mark != nil && covered && mark.deleted == nil && !n.retracted {
			mark.apply(e, r.At)
		}
	}
}

func (k *marks) apply(e events.InboxEvent, at time.Time) {
	set := func(mark **time.Time) {
		if *mark == nil {
			*mark = &at
		}
	}
	switch e.(type) {
	case events.ItemsSeen:
		set(&k.seen)
	case events.ItemsRead:
		set(&k.read)
	case events.ItemsUnread:
		k.read = nil
	case events.ItemsArchived:
		set(&k.archived)
	case events.ItemsUnarchived:
		k.archived = nil
	case events.ItemsDeleted:
		set(&k.deleted)
	}
}

// hidden is the position at and below which retention hides what a user received.
func (m *model) hidden(u events.User, now time.Time) (hidden events.Position) {
	if m.keep.Age > 0 {
		hidden = m.position
		if i := slices.IndexFunc(m.clock, func(t tick) bool { return t.After(now.Add(-m.keep.Age)) }); i >= 0 {
			hidden = m.clock[i].Position - 1
		}
	}
	left := m.keep.Items
	for _, n := range slices.Backward(m.order) {
		if left--; n.received[u] == nil {
			left++
		} else if m.keep.Items > 0 && left < 0 {
			return max(hidden, n.Position)
		}
	}
	return hidden
}

// items are all a user may see at a time, archived ones too, oldest first.
func (m *model) items(u events.User, now time.Time) []inbox.Item {
	var items []inbox.Item
	hidden := m.hidden(u, now)
	for _, n := range m.order {
		mark := n.received[u]
		expired := n.ExpiresAt != nil && !n.ExpiresAt.After(now)
		if mark == nil || mark.deleted != nil || n.retracted || expired || n.Position <= hidden {
			continue
		}
		item := inbox.NewItem(n.Recorded, n.Published, u)
		item.SeenAt, item.ReadAt, item.ArchivedAt = mark.seen, mark.read, mark.archived
		items = append(items, item)
	}
	return items
}

// inbox is what a query's pages must come to, newest first.
func (m *model) inbox(ask queries.InboxQuery, now time.Time) []inbox.Item {
	picked := []inbox.Item{}
	for _, item := range m.items(ask.User, now) {
		var right bool
		switch ask.State {
		case queries.StateUnread:
			right = item.ArchivedAt == nil && item.ReadAt == nil
		case queries.StateRead:
			right = item.ArchivedAt == nil && item.ReadAt != nil
		case queries.StateArchived:
			right = item.ArchivedAt != nil
		default:
			right = item.ArchivedAt == nil
		}
		about := ask.Topic == "" || slices.Contains(item.To, events.Target{Topic: ask.Topic})
		severe := ask.Severity == nil || item.Severity == *ask.Severity
		if right && about && severe {
			picked = append(picked, item)
		}
	}
	slices.Reverse(picked)
	return picked
}

func (m *model) counts(u events.User, now time.Time) (c queries.InboxCounts) {
	for _, item := range m.items(u, now) {
		if item.ArchivedAt != nil {
			continue
		}
		c.Total++
		if item.ReadAt == nil {
			c.Unread++
		}
		if item.SeenAt == nil {
			c.Unseen++
		}
	}
	return c
}

// missed is what a naive stream would tell after a position.
func (m *model) missed(u events.User, after events.Position, now time.Time) []inbox.Entry {
	entries := []inbox.Entry{}
	for _, item := range m.items(u, now) {
		entries = append(entries, inbox.Entry{Position: item.Position, Item: &item})
	}
	entries = append(entries, m.told[u]...)
	entries = slices.DeleteFunc(entries, func(e inbox.Entry) bool { return e.Position <= after })
	slices.SortFunc(entries, func(a, b inbox.Entry) int { return cmp.Compare(a.Position, b.Position) })
	return entries
}
