package projections

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/tidings-io/tidings/internal/events"
)

// model is the inbox as one would write it without a thought for speed: every
// user's items, event by event.
type model struct {
	rules map[pair]events.Rules // of who is subscribed now
	muted map[events.User][]events.Topic
	notes map[uuid.UUID]*modelNote
	items map[events.User]map[uuid.UUID]*modelItem
}

type modelNote struct {
	at        events.Position
	retracted bool
}

type modelItem struct {
	note                          *modelNote
	touched                       bool
	seen, read, archived, deleted string
}

func newModel() *model {
	return &model{
		rules: map[pair]events.Rules{}, muted: map[events.User][]events.Topic{}, notes: map[uuid.UUID]*modelNote{},
		items: map[events.User]map[uuid.UUID]*modelItem{},
	}
}

func (m *model) apply(r events.Recorded) {
	switch e := r.Event.(type) {
	case events.Subscribed:
		m.rules[pair{e.Topic, e.User}] = e.Rules
	case events.SubscriptionChanged:
		m.rules[pair{e.Topic, e.User}] = e.Rules
	case events.Unsubscribed:
		delete(m.rules, pair{e.Topic, e.User})
	case events.Published:
		note := &modelNote{at: r.Position}
		m.notes[e.NotificationID] = note
		for _, to := range e.To {
			if to.User != "" {
				m.give(to.User, e.NotificationID, note)
			}
			for p, rules := range m.rules {
				if p.topic == to.Topic && m.admits(p, rules, e) {
					m.give(p.user, e.NotificationID, note)
				}
			}
		}
	case events.PreferencesSet:
		m.muted[e.User] = e.MutedTopics
	case events.Retracted:
		m.notes[e.NotificationID].retracted = true
	case events.InboxEvent:
		for id, item := range m.items[e.On().User] {
			if slices.Contains(e.On().IDs, id) || item.note.at <= e.On().Through {
				item.change(e, r.At)
			}
		}
	}
}

// modelFilters say in Go what the filters of random logs say.
var modelFilters = map[string]func(pair, events.Published) bool{
	"":                       func(pair, events.Published) bool { return true },
	"severity == 'high'":     func(_ pair, e events.Published) bool { return e.Severity == events.SeverityHigh },
	"topic == 'a'":           func(p pair, _ events.Published) bool { return p.topic == "a" },
	"sender == 'ci'":         func(_ pair, e events.Published) bool { return e.Sender == "ci" },
	"data.urgent == true":    func(_ pair, e events.Published) bool { return string(e.Content.Data) == `{"urgent":true}` },
	"!(data.urgent == true)": func(_ pair, e events.Published) bool { return string(e.Content.Data) == `{"urgent":false}` },
}

func (m *model) admits(p pair, rules events.Rules, e events.Published) bool {
	return !slices.Contains(m.muted[p.user], p.topic) && e.Severity >= rules.MinSeverity && modelFilters[rules.Filter](p, e)
}

func (m *model) give(user events.User, id uuid.UUID, note *modelNote) {
	if m.items[user] == nil {
		m.items[user] = map[uuid.UUID]*modelItem{}
	}
	if m.items[user][id] == nil {
		m.items[user][id] = &modelItem{note: note}
	}
}

func (i *modelItem) change(e events.InboxEvent, at time.Time) {
	if i.note.retracted || i.deleted != "" {
		return
	}
	set := func(mark *string) {
		i.touched = true
		if *mark == "" {
			*mark = at.Format("15:04:05.999")
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

// lines are every user's items with their marks, as inboxQuery shows them.
func (m *model) lines() string {
	var all []string
	for user, items := range m.items {
		for id, i := range items {
			all = append(all, fmt.Sprintf("%s %s %s retracted=%v touched=%v seen=%s read=%s archived=%s deleted=%s",
				user, i.note.at, id, i.note.retracted, i.touched, i.seen, i.read, i.archived, i.deleted))
		}
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// inboxQuery joins what is stored and what is left to be joined, as readers do.
const inboxQuery = `
with item as (
	select user_id, position from inbox
	union
	select p.user_id, n.position
	from audience_targets t join notifications n using (position) join periods p using (audience_id)
	where not t.stored and p.from_position < n.position and n.position < p.until_position and p.floor <= n.severity
)
select format('%s %s %s retracted=%s touched=%s seen=%s read=%s archived=%s deleted=%s', u.name, n.position, n.id,
	case when n.retracted_position is null then 'false' else 'true' end, case when m.user_id is null then 'false' else 'true' end,
	(seen_at at time zone 'utc')::time, (read_at at time zone 'utc')::time,
	(archived_at at time zone 'utc')::time, (deleted_at at time zone 'utc')::time)
from (select user_id, position from item union select user_id, position from marks) as either -- a mark without its item would be a line too many
join users u using (user_id) join notifications n using (position) left join marks m using (user_id, position)
order by 1`

// brokenQuery lists what contradicts itself in the tables: nothing may.
const brokenQuery = `
select format('tallies of %s: %s', user_id, t) from tallies t full join (
	select user_id, count(*) filter (where away) as away, count(read_at) filter (where not away) as read,
		count(seen_at) filter (where not away) as seen
	from marks cross join lateral (select archived_at is not null or deleted_at is not null as away) k group by user_id) m using (user_id)
where (coalesce(m.away, 0), coalesce(m.read, 0), coalesce(m.seen, 0)) is distinct from (t.away, t.read, t.seen)
union all
select format('subscribers of audience %s: %s', audience_id, a) from audiences a
where subscribers <> (select count(*) from periods p where p.audience_id = a.audience_id and until_position = 9223372036854775807)
union all
select format('subscribers of topic %s: %s', topic_id, t) from topics t
where subscribers <> (select count(*) from periods p where p.topic_id = t.topic_id and until_position = 9223372036854775807)
union all
select format('a period of topic %s in an audience of another', p.topic_id) from periods p join audiences a using (audience_id)
where p.topic_id <> a.topic_id
union all
select format('an open period of user %s that is muted: %s', user_id, muted) from periods p join topics t using (topic_id)
left join preferences r using (user_id)
where until_position = 9223372036854775807 and muted <> coalesce(t.name = any (r.muted_topics), false)
union all
select format('an item of user %s at %s that ends: %s', user_id, position, ends) from inbox join notifications n using (position)
where ends <> (expires_at is not null or retracted_position is not null)
union all
select format('audience %s reached at %s with severity %s', audience_id, position, t.severity)
from audience_targets t left join notifications n using (position)
where t.severity is distinct from n.severity`

func inboxLines(ctx context.Context, t fataler, conn *pgx.Conn) string {
	return linesOf(ctx, t, conn, inboxQuery)
}

func linesOf(ctx context.Context, t fataler, conn *pgx.Conn, query string) string {
	rows, err := conn.Query(ctx, query)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}
