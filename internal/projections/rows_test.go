package projections

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
)

// TestRows: events on the left, rows on the right. Events stand at positions 10,
// 20, 30 …, and at seconds 6, 7, 8 … of 03:04. Every case is applied in one batch
// and event by event.
func TestRows(t *testing.T) {
	t.Parallel()
	const normal, high = events.SeverityNormal, events.SeverityHigh
	rules := func(s events.Severity) events.Rules { return events.Rules{MinSeverity: s} }
	items := func(user events.User, ids ...uuid.UUID) events.Items { return events.Items{User: user, IDs: ids} }
	through := func(user events.User, at events.Position) events.Items { return events.Items{User: user, Through: at} }
	muting := func(topics ...events.Topic) events.Event {
		return events.PreferencesSet{User: "ann", Preferences: events.Preferences{MutedTopics: topics}}
	}
	cases := map[string]struct {
		limit int
		log   []events.Event
		show  string // the tables that are compared
		want  []string
	}{
		"a subscription is a period from its position on": {
			log:  []events.Event{events.Subscribed{User: "ann", Topic: "a", Rules: rules(high)}},
			show: "users topics periods projections",
			want: []string{"users: ann", "topics: a 1 ", "periods: a ann 10 - 10 2", "projections: inbox 10"},
		},
		"a change of rules splits the period and keeps since": {
			log: []events.Event{
				events.Subscribed{User: "ann", Topic: "a"},
				events.SubscriptionChanged{User: "ann", Topic: "a", Rules: rules(high)},
				events.Unsubscribed{User: "ann", Topic: "a"},
				events.Subscribed{User: "ann", Topic: "a"},
			},
			show: "topics periods",
			want: []string{"topics: a 1 ", "periods: a ann 10 20 10 0", "periods: a ann 20 30 10 2", "periods: a ann 40 - 40 0"},
		},
		"a publish reaches who is subscribed then, if severe enough": {
			limit: 1000,
			log: []events.Event{
				events.Subscribed{User: "ann", Topic: "a"},
				events.Subscribed{User: "bob", Topic: "a", Rules: rules(high)},
				events.Subscribed{User: "cyd", Topic: "a"},
				events.Unsubscribed{User: "cyd", Topic: "a"},
				publish(1, normal, "topic:a"),
				events.Subscribed{User: "dan", Topic: "a"},
				publish(2, high, "topic:a"),
			},
			show: "inbox audience_targets",
			want: []string{"audience_targets: 50 a stored", "audience_targets: 70 a stored", "inbox: ann 50", "inbox: ann 70", "inbox: bob 70", "inbox: dan 70"},
		},
		"whoever is reached several ways has it once": {
			limit: 1000,
			log: []events.Event{
				events.Subscribed{User: "ann", Topic: "a"},
				events.Subscribed{User: "ann", Topic: "b"},
				publish(1, normal, "topic:a", "user:ann", "topic:b", "user:bob", "user:ann", "topic:a"),
			},
			show: "inbox audience_targets user_targets",
			want: []string{
				"audience_targets: 30 a stored", "audience_targets: 30 b stored", "user_targets: 30 ann", "user_targets: 30 bob",
				"inbox: ann 30", "inbox: bob 30",
			},
		},
		"a topic is stored up to the limit as it stands at the publish": {
			limit: 1,
			log: []events.Event{
				events.Subscribed{User: "ann", Topic: "a"},
				publish(1, normal, "topic:a"),
				events.Subscribed{User: "bob", Topic: "a"},
				publish(2, normal, "topic:a", "user:cyd"),
				events.Unsubscribed{User: "ann", Topic: "a"},
				publish(3, normal, "topic:a"),
			},
			show: "inbox audience_targets",
			want: []string{
				"audience_targets: 20 a stored", "audience_targets: 40 a joined", "audience_targets: 60 a stored",
				"inbox: ann 20", "inbox: bob 60", "inbox: cyd 40",
			},
		},
		"a retraction is noted once and keeps the rows": {
			limit: 1000,
			log: []events.Event{
				publish(1, normal, "user:ann"),
				events.Retracted{NotificationID: nid(1), PublishedPosition: 10, To: to("user:ann")},
				events.Retracted{NotificationID: nid(1), PublishedPosition: 10, To: to("user:ann")},
			},
			show: "inbox retractions",
			want: []string{"inbox: ann 10 ends", "retractions: 20 10"},
		},
		"reading twice keeps the first time, unreading clears it": {
			log: []events.Event{
				publish(1, normal, "user:ann"), publish(2, normal, "user:ann"), publish(3, normal, "user:ann"),
				events.ItemsRead{Items: items("ann", nid(1), nid(2), nid(3))},
				events.ItemsRead{Items: items("ann", nid(1), nid(3))},
				events.ItemsUnread{Items: items("ann", nid(2), nid(3))},
				events.ItemsRead{Items: items("ann", nid(3))},
			},
			show: "marks",
			want: []string{"marks: ann 10 read 03:04:09", "marks: ann 20", "marks: ann 30 read 03:04:12"},
		},
		"marks are independent, and taking off what is not there leaves no row": {
			log: []events.Event{
				publish(1, normal, "user:ann"), publish(2, normal, "user:ann"),
				events.ItemsArchived{Items: items("ann", nid(1))},
				events.ItemsSeen{Items: items("ann", nid(1))},
				events.ItemsUnarchived{Items: items("ann", nid(1), nid(2))},
				events.ItemsUnread{Items: items("ann", nid(2))},
			},
			show: "marks",
			want: []string{"marks: ann 10 seen 03:04:09"},
		},
		"what is not in the inbox then is ignored, and the change is kept": {
			limit: 1000,
			log: []events.Event{
				events.ItemsRead{Items: items("ann", nid(1))},
				publish(1, normal, "user:ann"),
				publish(2, normal, "user:bob"),
				events.ItemsRead{Items: items("ann", nid(2), nid(9))},
				publish(3, normal, "user:ann"),
				events.Retracted{NotificationID: nid(3), PublishedPosition: 50, To: to("user:ann")},
				events.ItemsRead{Items: items("ann", nid(3))},
			},
			show: "users marks changes",
			want: []string{
				"users: ann", "users: bob",
				"changes: ann 10 03:04:06 read {" + nid(1).String() + "} 0",
				"changes: ann 40 03:04:09 read {" + nid(2).String() + "," + nid(9).String() + "} 0",
				"changes: ann 70 03:04:12 read {" + nid(3).String() + "} 0",
			},
		},
		"through covers what is there, stored or joined, and never what comes after": {
			limit: 1,
			log: []events.Event{
				events.Subscribed{User: "ann", Topic: "small"},
				events.Subscribed{User: "ann", Topic: "large", Rules: rules(high)},
				events.Subscribed{User: "bob", Topic: "large"},
				publish(1, normal, "topic:small"),
				publish(2, high, "topic:large"),
				publish(3, normal, "topic:large"),
				events.ItemsRead{Items: through("ann", 9999)},
				publish(4, high, "topic:large"),
				events.ItemsSeen{Items: through("ann", 50)},
			},
			show: "marks changes",
			want: []string{
				"marks: ann 40 seen 03:04:14 read 03:04:12", "marks: ann 50 seen 03:04:14 read 03:04:12",
				"changes: ann 70 03:04:12 read {} 9999", "changes: ann 90 03:04:14 seen {} 50",
			},
		},
		"ids of joined notifications count for who was let through alone": {
			log: []events.Event{
				events.Subscribed{User: "ann", Topic: "a", Rules: rules(high)},
				publish(1, normal, "topic:a"),
				events.Unsubscribed{User: "ann", Topic: "a"},
				events.Subscribed{User: "bob", Topic: "a"},
				publish(2, high, "topic:a"),
				events.Subscribed{User: "ann", Topic: "a"},
				events.ItemsRead{Items: items("ann", nid(1), nid(2))},
				events.ItemsRead{Items: items("bob", nid(1), nid(2))},
			},
			show: "inbox marks",
			want: []string{"marks: bob 50 read 03:04:13"},
		},
		"sweeps over each other, with opposites between": {
			log: []events.Event{
				publish(1, normal, "user:ann"), publish(2, normal, "user:ann"),
				events.ItemsRead{Items: through("ann", 15)},
				events.ItemsRead{Items: through("ann", 25)},
				events.ItemsUnread{Items: items("ann", nid(1))},
				events.ItemsRead{Items: through("ann", 25)},
				events.ItemsRead{Items: through("ann", 25)},
			},
			show: "marks",
			want: []string{"marks: ann 10 read 03:04:11", "marks: ann 20 read 03:04:09"},
		},
		"deleting is final": {
			log: []events.Event{
				publish(1, normal, "user:ann"),
				events.ItemsRead{Items: items("ann", nid(1))},
				events.ItemsDeleted{Items: items("ann", nid(1))},
				events.ItemsUnread{Items: items("ann", nid(1))},
				events.ItemsSeen{Items: through("ann", 99)},
				events.ItemsDeleted{Items: through("ann", 99)},
			},
			show: "marks",
			want: []string{"marks: ann 10 read 03:04:07 deleted 03:04:08"},
		},
		"a topic's description is the last one": {
			log: []events.Event{
				events.TopicDescribed{Topic: "a", Description: "one"},
				events.TopicDescribed{Topic: "a", Description: "two"},
				publish(1, normal, "topic:b"),
			},
			show: "topics",
			want: []string{"topics: a 0 two", "topics: b 0 "},
		},
		"content is kept as it is, but for NUL": {
			log: []events.Event{events.Published{
				NotificationID: nid(1), To: to("topic:ü/x", "user:ann"), Severity: high, Sender: "s\x00",
				Content: events.Content{Title: "☃ \x00", Body: "b", Data: []byte(`{"b":1,"a":"\u0000"}`), Link: "https://x"},
			}},
			show: "notifications",
			want: []string{`notifications: 10 ` + nid(1).String() + ` {topic:ü/x,user:ann} 2 ☃ ` + "\uFFFD" + ` b {"b":1,"a":"\u0000"} s` + "\uFFFD" +
				` https://x 2026-01-02 03:04:06`},
		},
		"subscribers with the same filter are one audience, and a publish reaches it or not": {
			limit: 2,
			log: []events.Event{
				events.Subscribed{User: "ann", Topic: "a", Rules: events.Rules{Filter: "severity == 'high'"}},
				events.Subscribed{User: "bob", Topic: "a", Rules: events.Rules{Filter: "severity == 'high'"}},
				events.Subscribed{User: "cyd", Topic: "a", Rules: events.Rules{Filter: "severity == 'normal'", MinSeverity: high}},
				events.Subscribed{User: "dan", Topic: "a"},
				publish(1, high, "topic:a"),
				publish(2, normal, "topic:a"),
			},
			show: "topics audiences audience_targets inbox",
			want: []string{
				"topics: a 4 ", "audiences: a 1", "audiences: a severity == 'high' 2", "audiences: a severity == 'normal' 1",
				"audience_targets: 50 a severity == 'high' stored", "audience_targets: 50 a stored",
				"audience_targets: 60 a severity == 'normal' stored", "audience_targets: 60 a stored",
				"inbox: ann 50", "inbox: bob 50", "inbox: dan 50", "inbox: dan 60",
			},
		},
		"an audience is stored or joined by its own size": {
			limit: 1,
			log: []events.Event{
				events.Subscribed{User: "ann", Topic: "a"},
				events.Subscribed{User: "bob", Topic: "a"},
				events.Subscribed{User: "cyd", Topic: "a", Rules: events.Rules{Filter: "true"}},
				publish(1, normal, "topic:a"),
			},
			show: "audience_targets inbox",
			want: []string{"audience_targets: 40 a joined", "audience_targets: 40 a true stored", "inbox: cyd 40"},
		},
		"who changes the filter changes the audience, and an audience without subscribers is not asked": {
			limit: 1,
			log: []events.Event{
				events.Subscribed{User: "ann", Topic: "a", Rules: events.Rules{Filter: "true"}},
				events.SubscriptionChanged{User: "ann", Topic: "a", Rules: rules(high)},
				publish(1, high, "topic:a"),
				events.SubscriptionChanged{User: "ann", Topic: "a", Rules: events.Rules{Filter: "false"}},
				publish(2, high, "topic:a"),
			},
			show: "topics audiences periods audience_targets inbox",
			want: []string{
				"topics: a 1 ", "audiences: a 0", "audiences: a false 1", "audiences: a true 0",
				"periods: a ann 10 20 10 0 true", "periods: a ann 20 40 10 2", "periods: a ann 40 - 10 0 false",
				"audience_targets: 30 a stored", "audience_targets: 50 a stored", "inbox: ann 30",
			},
		},
		"muting a topic ends the period and begins one that lets nothing through": {
			limit: 1000,
			log: []events.Event{
				events.Subscribed{User: "ann", Topic: "a", Rules: rules(high)},
				events.Subscribed{User: "ann", Topic: "b"},
				muting("a", "c", "a"),
				publish(1, high, "topic:a"),
				publish(2, high, "topic:a", "topic:b"),
				publish(3, high, "topic:a", "user:ann"),
				muting("c"),
				publish(4, high, "topic:a"),
			},
			show: "topics periods inbox preferences",
			want: []string{
				"topics: a 1 ", "topics: b 1 ",
				"periods: a ann 10 30 10 2", "periods: a ann 30 70 10 2 muted", "periods: a ann 70 - 10 2", "periods: b ann 20 - 20 0",
				"inbox: ann 50", "inbox: ann 60", "inbox: ann 80", `preferences: ann 70 {c} {"muted_topics":["c"]}`,
			},
		},
		"the same topics muted again, in another order, change no period": {
			log: []events.Event{
				events.Subscribed{User: "ann", Topic: "a"}, muting("b", "a"), muting("a", "b"), muting("a"),
			},
			show: "periods preferences",
			want: []string{
				"periods: a ann 10 20 10 0", "periods: a ann 20 - 10 0 muted", `preferences: ann 40 {a} {"muted_topics":["a"]}`,
			},
		},
		"whoever subscribes to a muted topic gets nothing of it, until it is let through": {
			limit: 1000,
			log: []events.Event{
				muting("a"),
				events.Subscribed{User: "ann", Topic: "a"},
				publish(1, high, "topic:a"),
				events.SubscriptionChanged{User: "ann", Topic: "a", Rules: rules(high)},
				events.Unsubscribed{User: "ann", Topic: "a"},
				muting(),
				events.Subscribed{User: "ann", Topic: "a"},
				publish(2, high, "topic:a"),
			},
			show: "periods inbox preferences",
			want: []string{
				"periods: a ann 20 40 20 0 muted", "periods: a ann 40 50 20 2 muted", "periods: a ann 70 - 70 0",
				"inbox: ann 80", "preferences: ann 60 {} {}",
			},
		},
		"what a joined topic brought counts as long as it was not muted": {
			log: []events.Event{
				events.Subscribed{User: "ann", Topic: "a"},
				publish(1, normal, "topic:a"),
				muting("a"),
				publish(2, normal, "topic:a"),
				events.ItemsRead{Items: through("ann", 40)},
				events.ItemsSeen{Items: items("ann", nid(1), nid(2))},
			},
			show: "inbox marks tallies",
			want: []string{"marks: ann 20 seen 03:04:11 read 03:04:10", "tallies: ann away 0 read 1 seen 1"},
		},
		"items that expire or are retracted say so, whichever way they were reached": {
			limit: 2,
			log: []events.Event{
				events.Subscribed{User: "ann", Topic: "a"},
				events.Subscribed{User: "bob", Topic: "b"},
				events.Published{NotificationID: nid(1), To: to("topic:a"), ExpiresAt: &epoch, Severity: normal},
				events.Published{NotificationID: nid(2), To: to("user:ann", "topic:b"), ExpiresAt: &epoch, Severity: normal},
				publish(3, normal, "topic:a"),
				publish(4, normal, "topic:b", "user:ann"),
				publish(5, normal, "topic:a"),
				events.Unsubscribed{User: "ann", Topic: "a"},
				events.Retracted{NotificationID: nid(3), PublishedPosition: 50, To: to("topic:a")},
				events.Retracted{NotificationID: nid(4), PublishedPosition: 60, To: to("topic:b", "user:ann")},
			},
			show: "inbox",
			want: []string{
				"inbox: ann 30 ends", "inbox: ann 40 ends", "inbox: ann 50 ends", "inbox: ann 60 ends", "inbox: ann 70",
				"inbox: bob 40 ends", "inbox: bob 60 ends",
			},
		},
		"tallies count what is away apart from what is read and seen": {
			log: []events.Event{
				publish(1, normal, "user:ann"), publish(2, normal, "user:ann"), publish(3, normal, "user:ann"), publish(4, normal, "user:ann"),
				events.ItemsRead{Items: items("ann", nid(1), nid(2), nid(3))},
				events.ItemsSeen{Items: through("ann", 40)},
				events.ItemsArchived{Items: items("ann", nid(1), nid(2))},
				events.ItemsUnarchived{Items: items("ann", nid(1))},
				events.ItemsDeleted{Items: items("ann", nid(3))},
				events.ItemsUnread{Items: items("ann", nid(3))},
				events.ItemsUnread{Items: items("bob", nid(1))},
			},
			show: "tallies",
			want: []string{"tallies: ann away 2 read 1 seen 2"},
		},
		"the clock ticks by the time of the events, and they are counted": {
			log:  []events.Event{events.StoreNamed{StoreID: storeID}, publish(1, normal, "user:ann"), publish(2, normal, "user:ann")},
			show: "clock counts",
			want: []string{"clock: 10 03:04:06 1", "clock: 20 03:04:07 2", "clock: 30 03:04:08 3", "counts: 3 03:04:08"},
		},
		"an event without rows moves the checkpoint": {
			log:  []events.Event{events.StoreNamed{StoreID: storeID}},
			show: "projections users topics",
			want: []string{"projections: inbox 10"},
		},
	}
	conn := fresh(t)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) { // not parallel: they share the tables
			log := newLog(t, c.log...).recorded(t)
			want := strings.Join(c.want, "\n") + "\n"
			for _, n := range []int{len(log), 1} {
				foldInto(t, t, conn, c.limit, log, n)
				got := rowsOf(t.Context(), t, conn, strings.Fields(c.show)...)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("in batches of %d (- want, + got):\n%s", n, diff)
				}
			}
		})
	}
}
