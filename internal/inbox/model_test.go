package inbox_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
)

// model is the inbox as one would write it without a thought for speed: every
// user's items, event by event.
type model struct {
	rules map[pair]events.Rules // of who is subscribed now
	muted map[events.User][]events.Topic
	items map[events.User][]*modelItem
	log   []events.Recorded
}

type pair struct {
	user  events.User
	topic events.Topic
}

type modelItem struct {
	events.Published

	at                            events.Position
	retracted                     bool
	seen, read, archived, deleted string
}

func newModel() *model {
	return &model{rules: map[pair]events.Rules{}, muted: map[events.User][]events.Topic{}, items: map[events.User][]*modelItem{}}
}

// verdicts are the filters of these tests, judged by hand.
var verdicts = map[string]func(p events.Published, topic events.Topic) bool{
	"":                   func(events.Published, events.Topic) bool { return true },
	`title == "t"`:       func(p events.Published, _ events.Topic) bool { return p.Content.Title == "t" },
	`topic == "a"`:       func(_ events.Published, topic events.Topic) bool { return topic == "a" },
	`severity == "high"`: func(p events.Published, _ events.Topic) bool { return p.Severity == events.SeverityHigh },
	`data.n > 0`:         func(p events.Published, _ events.Topic) bool { return bytes.Contains(p.Content.Data, []byte("1")) },
	`(`:                  func(events.Published, events.Topic) bool { return false },
}

func (m *model) apply(r events.Recorded) {
	m.log = append(m.log, r)
	switch e := r.Event.(type) {
	case events.Subscribed:
		m.rules[pair{e.User, e.Topic}] = e.Rules
	case events.SubscriptionChanged:
		m.rules[pair{e.User, e.Topic}] = e.Rules
	case events.Unsubscribed:
		delete(m.rules, pair{e.User, e.Topic})
	case events.PreferencesSet:
		m.muted[e.User] = e.MutedTopics
	case events.Published:
		for _, to := range e.To {
			m.give(to.User, r.Position, e)
			for p, rules := range m.rules {
				if p.topic == to.Topic && !slices.Contains(m.muted[p.user], p.topic) &&
					e.Severity >= rules.MinSeverity && verdicts[rules.Filter](e, p.topic) {
					m.give(p.user, r.Position, e)
				}
			}
		}
	case events.Retracted:
		for _, items := range m.items {
			for _, i := range items {
				i.retracted = i.retracted || i.NotificationID == e.NotificationID
			}
		}
	case events.InboxEvent:
		for _, i := range m.items[e.On().User] {
			if slices.Contains(e.On().IDs, i.NotificationID) || i.at <= e.On().Through {
				i.change(e, r.At)
			}
		}
	}
}

func (m *model) give(user events.User, at events.Position, p events.Published) {
	if !slices.ContainsFunc(m.items[user], func(i *modelItem) bool { return i.at == at }) {
		m.items[user] = append(m.items[user], &modelItem{Published: p, at: at})
	}
}

func (i *modelItem) change(e events.InboxEvent, at time.Time) {
	if i.retracted || i.deleted != "" {
		return
	}
	set := func(mark *string) {
		if *mark == "" {
			*mark = at.Format(time.TimeOnly)
		}
	}
	switch e.(type) {
	case events.ItemsSeen:
		set(&i.seen)
	case events.ItemsRead:
		set(&i.read)
	case events.ItemsUnread:
		i.read = ""
	case events.ItemsArchived:
		set(&i.archived)
	case events.ItemsUnarchived:
		i.archived = ""
	case events.ItemsDeleted:
		set(&i.deleted)
	}
}

// horizon goes through the log as the rule of the clock says.
func (m *model) horizon(now time.Time, age time.Duration) events.Position {
	if age == 0 {
		return 0
	}
	var latest, noted time.Time
	events := 0
	for n, r := range m.log {
		if r.At.After(latest) {
			latest = r.At
		}
		if events++; n > 0 && events < 256 && latest.Before(noted.Add(time.Second)) {
			continue
		}
		if events, noted = 0, latest; latest.After(now.Add(-age)) {
			return r.Position - 1
		}
	}
	if len(m.log) == 0 {
		return 0
	}
	return m.log[len(m.log)-1].Position
}

// page is what a user has, newest first and a line an item, and how much of it is
// where.
func (m *model) page(user events.User, now time.Time, keep inbox.Retention) string {
	lines, total, unread, unseen := []string{}, 0, 0, 0
	for n, i := range m.items[user] {
		hidden := keep.Items > 0 && n < len(m.items[user])-keep.Items || i.at <= m.horizon(now, keep.Age)
		expired := i.ExpiresAt != nil && !i.ExpiresAt.After(now)
		if hidden || expired || i.retracted || i.deleted != "" {
			continue
		}
		lines = append([]string{fmt.Sprintf("%s %s %s seen=%s read=%s archived=%s", i.at, i.NotificationID, i.Content.Title, i.seen, i.read, i.archived)}, lines...)
		if i.archived == "" {
			total++
			unread += count(i.read)
			unseen += count(i.seen)
		}
	}
	return fmt.Sprintf("%s\ntotal %d, unread %d, unseen %d", strings.Join(lines, "\n"), total, unread, unseen)
}

func count(mark string) int {
	if mark == "" {
		return 1
	}
	return 0
}

// bookPage is a book's, in the same form.
func bookPage(b *inbox.Book, now time.Time, keep inbox.Retention) string {
	lines := []string{}
	for _, i := range b.Items(now, keep) {
		lines = append(lines, fmt.Sprintf("%s %s %s seen=%s read=%s archived=%s",
			i.Position, i.ID, i.Title, clock(i.SeenAt), clock(i.ReadAt), clock(i.ArchivedAt)))
	}
	total, unread, unseen := b.Counts(now, keep)
	return fmt.Sprintf("%s\ntotal %d, unread %d, unseen %d", strings.Join(lines, "\n"), total, unread, unseen)
}

func clock(at *time.Time) string {
	if at == nil {
		return ""
	}
	return at.Format(time.TimeOnly)
}

// nid is the id of the n-th notification of a test.
func nid(n int) uuid.UUID { return uuid.NewSHA1(uuid.Nil, []byte{byte(n), byte(n >> 8)}) }

func idsOf(ns ...int) (ids []uuid.UUID) {
	for _, n := range ns {
		ids = append(ids, nid(n))
	}
	return ids
}
