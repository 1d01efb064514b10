package queries_test

import (
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
	"github.com/tidings-io/tidings/internal/queries"
)

// model answers every query the slow and obvious way: it walks the log once and
// keeps, for each user, what they received and what they were told. It shares
// nothing with the statements under test.
type model struct {
	position  events.Position
	subs      map[events.User]map[events.Topic]*inbox.Period // open ones
	periods   map[events.User][]*inbox.Period
	published map[uuid.UUID]*publication
	order     []*publication
	told      map[events.User][]inbox.Entry // changes and retractions
	described map[events.Topic]string       // every topic there is
}

type publication struct {
	events.Recorded
	events.Published
	retracted   bool
	retractedAt events.Position
	received    map[events.User]*marks
}

type marks struct{ seen, read, archived, deleted *time.Time }

func fold(log []events.Recorded) *model {
	m := &model{
		subs:      make(map[events.User]map[events.Topic]*inbox.Period),
		periods:   make(map[events.User][]*inbox.Period),
		published: make(map[uuid.UUID]*publication),
		told:      make(map[events.User][]inbox.Entry),
		described: make(map[events.Topic]string),
	}
	for _, r := range log {
		m.apply(r)
		m.position = r.Position
	}
	return m
}

func (m *model) apply(r events.Recorded) {
	switch e := r.Event.(type) {
	case events.Subscribed:
		m.topic(e.Topic)
		m.open(r, e.User, e.Topic, r.Position, e.Rules)
	case events.SubscriptionChanged:
		since := m.shut(r, e.User, e.Topic)
		m.open(r, e.User, e.Topic, since, e.Rules)
	case events.Unsubscribed:
		m.shut(r, e.User, e.Topic)
	case events.TopicDescribed:
		m.described[e.Topic] = e.Description
	case events.Published:
		m.publish(r, e)
	case events.Retracted:
		n := m.published[e.NotificationID]
		n.retracted, n.retractedAt = true, r.Position
		for user := range n.received {
			m.told[user] = append(m.told[user], inbox.Entry{Position: r.Position, Retracted: &e.NotificationID})
		}
	case events.InboxEvent:
		m.change(r, e)
	}
}

func (m *model) topic(t events.Topic) { m.described[t] += "" }

func (m *model) open(r events.Recorded, u events.User, t events.Topic, since events.Position, rules events.Rules) {
	if m.subs[u] == nil {
		m.subs[u] = make(map[events.Topic]*inbox.Period)
	}
	m.subs[u][t] = &inbox.Period{Topic: t, From: r.Position, Since: since, Rules: rules}
	m.periods[u] = append(m.periods[u], m.subs[u][t])
}

func (m *model) shut(r events.Recorded, u events.User, t events.Topic) (since events.Position) {
	p := m.subs[u][t]
	p.Until = r.Position
	delete(m.subs[u], t)
	return p.Since
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
			if p := subs[target.Topic]; p != nil && p.MinSeverity <= e.Severity {
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

// items are all a user may see at a time, archived ones too, oldest first.
func (m *model) items(u events.User, now time.Time) []inbox.Item {
	var items []inbox.Item
	for _, n := range m.order {
		mark := n.received[u]
		expired := n.ExpiresAt != nil && !n.ExpiresAt.After(now)
		if mark == nil || mark.deleted != nil || n.retracted || expired {
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

func (m *model) counts(u events.User, now time.Time) queries.Counts {
	c := queries.Counts{Position: m.position}
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
