package queries_test

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
	"github.com/tidings-io/tidings/internal/queries"
)

// now is the time of all answers: an hour after the logs begin some of what they
// hold has expired, to the second.
var now = began.Add(time.Hour)

// diff compares answers; an empty list is as good as none.
func diff(got, want any) string { return gocmp.Diff(got, want, cmpopts.EquateEmpty()) }

// compare asks everything about everybody and wants the model's answers.
func compare(ctx context.Context, t *rapid.T, q *queries.Queries, m *model) {
	nobody := events.User("nobody")
	for _, user := range append([]events.User{nobody}, users...) {
		comparePages(ctx, t, q, m, user)
		compareCounts(ctx, t, q, m, user)
		compareMissed(ctx, t, q, m, user)
		compareNewest(ctx, t, q, m, user)
		compareSubscriptions(ctx, t, q, m, user)
	}
	compareNotifications(ctx, t, q, m)
	compareTopics(ctx, t, q, m)
}

// walk reads a list to its end, in pages of a random size, and wants each to be
// of the model's position and as full as a page with a successor must be.
func walk[T any](t *rapid.T, m *model, read func(limit int, cursor string) (queries.Page[T], error)) []T {
	size := rapid.SampledFrom([]int{1, 2, 5, 10, 100}).Draw(t, "limit")
	var all []T
	for cursor := ""; len(all) < 1000; { // more than any log has
		page, err := read(size, cursor)
		if err != nil {
			t.Fatal(err)
		}
		if page.Position != m.position {
			t.Fatalf("a page at %s, want %s", page.Position, m.position)
		}
		if full := len(page.Items) == size; len(page.Items) > size || page.NextCursor != "" && !full || cursor != "" && len(page.Items) == 0 {
			t.Fatalf("a page of %d with %d items and next cursor %q", size, len(page.Items), page.NextCursor)
		}
		all = append(all, page.Items...)
		if cursor = page.NextCursor; cursor == "" {
			return all
		}
	}
	t.Fatal("a list without end")
	return nil
}

func comparePages(ctx context.Context, t *rapid.T, q *queries.Queries, m *model, user events.User) {
	for _, state := range append(queries.States, "") {
		ask := queries.InboxQuery{
			User: user, State: state,
			Topic: rapid.SampledFrom(append([]events.Topic{"", "", "", "unheard-of"}, topics...)).Draw(t, "topic"),
		}
		if rapid.IntRange(0, 2).Draw(t, "any severity") == 0 {
			ask.Severity = new(drawSeverity(t))
		}
		got := walk(t, m, func(limit int, cursor string) (queries.Page[inbox.Item], error) {
			ask.Limit, ask.Cursor = limit, cursor
			page, err := q.Inbox(ctx, ask, queries.AtLeast(m.position))
			return page.Page, err
		})
		if d := diff(got, m.inbox(ask, now)); d != "" {
			t.Fatalf("%+v: got -, want +\n%s", ask, d)
		}
	}
}

func compareCounts(ctx context.Context, t *rapid.T, q *queries.Queries, m *model, user events.User) {
	got, err := q.Counts(ctx, user, queries.AsOf{}, queries.AtLeast(m.position))
	if err != nil {
		t.Fatal(err)
	}
	if want := (queries.Counts{InboxCounts: m.counts(user, now), Position: m.position}); got != want {
		t.Fatalf("counts of %s: got %+v, want %+v", user, got, want)
	}
}

// compareMissed resumes from a random position, in pages of a random size.
func compareMissed(ctx context.Context, t *rapid.T, q *queries.Queries, m *model, user events.User) {
	after := events.Position(rapid.Uint64Range(0, uint64(m.position)+5).Draw(t, "after"))
	ask := inbox.Ask{User: user, Resume: true, After: after, Limit: rapid.IntRange(1, 9).Draw(t, "entries")}
	var got []inbox.Entry
	for {
		s, err := q.Snapshot(ctx, ask)
		if err != nil {
			t.Fatal(err)
		}
		compareSnapshot(t, s, m, ask)
		got = append(got, s.Entries...)
		if s.Through == s.Position {
			break
		}
		if s.Through <= ask.After {
			t.Fatalf("%+v: no progress through %s", ask, s.Through)
		}
		ask.After = s.Through
	}
	if d := diff(got, m.missed(user, after, now)); d != "" {
		t.Fatalf("%s after %s: got -, want +\n%s", user, after, d)
	}
}

func compareSnapshot(t *rapid.T, s inbox.Snapshot, m *model, ask inbox.Ask) {
	if s.Position != m.position {
		t.Fatalf("%+v: at %s, want %s", ask, s.Position, m.position)
	}
	if len(s.Entries) > max(ask.Limit, ask.Newest) {
		t.Fatalf("%+v: %d entries", ask, len(s.Entries))
	}
	var want []inbox.Period
	for _, p := range m.periods[ask.User] {
		want = append(want, *p)
	}
	slices.SortFunc(want, func(p, q inbox.Period) int {
		return cmp.Or(int(p.From)-int(q.From), strings.Compare(string(p.Topic), string(q.Topic)))
	})
	if d := diff(s.Periods, want); d != "" {
		t.Fatalf("periods of %s: got -, want +\n%s", ask.User, d)
	}
	if d := diff(s.Muted, m.muted[ask.User]); d != "" {
		t.Fatalf("muted by %s: got -, want +\n%s", ask.User, d)
	}
}

func compareNewest(ctx context.Context, t *rapid.T, q *queries.Queries, m *model, user events.User) {
	ask := inbox.Ask{User: user, Newest: rapid.IntRange(0, 5).Draw(t, "newest")}
	got, err := q.Snapshot(ctx, ask)
	if err != nil {
		t.Fatal(err)
	}
	compareSnapshot(t, got, m, ask)
	want := m.inbox(queries.InboxQuery{User: user}, now)
	want = want[:min(ask.Newest, len(want))]
	for i, e := range got.Entries {
		if j := len(want) - 1 - i; len(got.Entries) != len(want) || diff(*e.Item, want[j]) != "" {
			t.Fatalf("newest %d of %s: got %+v, want reversed %+v", ask.Newest, user, got.Entries, want)
		}
	}
	if len(got.Entries) != len(want) || got.Through != m.position {
		t.Fatalf("newest %d of %s: got %+v, want reversed %+v", ask.Newest, user, got, want)
	}
}

func compareSubscriptions(ctx context.Context, t *rapid.T, q *queries.Queries, m *model, user events.User) {
	got := walk(t, m, func(limit int, cursor string) (queries.Page[queries.Subscription], error) {
		return q.Subscriptions(ctx, user, limit, cursor, queries.AtLeast(m.position))
	})
	var want []queries.Subscription
	for topic, p := range m.subs[user] {
		want = append(want, queries.Subscription{Topic: topic, Since: p.Since, MinSeverity: p.MinSeverity, Filter: p.Filter, Muted: p.Muted})
	}
	slices.SortFunc(want, func(a, b queries.Subscription) int { return strings.Compare(string(a.Topic), string(b.Topic)) })
	if d := diff(got, want); d != "" {
		t.Fatalf("subscriptions of %s: got -, want +\n%s", user, d)
	}
}

func compareNotifications(ctx context.Context, t *rapid.T, q *queries.Queries, m *model) {
	for _, n := range m.order {
		got, err := q.Notification(ctx, n.NotificationID, queries.AtLeast(m.position))
		if err != nil {
			t.Fatal(err)
		}
		want := queries.Notification{
			ID: n.NotificationID, Status: queries.StatusPublished, Position: n.Position, To: n.To,
			Title: n.Content.Title, Body: n.Content.Body, Data: n.Content.Data, Severity: n.Severity, Sender: n.Sender,
			Link: n.Content.Link, PublishedAt: n.At, ExpiresAt: n.ExpiresAt, Recipients: len(n.received), Checkpoint: m.position,
		}
		if n.retracted {
			want.Status = queries.StatusRetracted
		}
		if d := diff(got, want); d != "" {
			t.Fatalf("notification: got -, want +\n%s", d)
		}
		reached, err := q.Recipients(ctx, n.NotificationID, queries.AtLeast(m.position))
		if want := (queries.Recipients{Count: len(n.received), Checkpoint: m.position}); err != nil || reached != want {
			t.Fatalf("recipients of %s: got %+v, %v, want %+v", n.NotificationID, reached, err, want)
		}
	}
}

// compareExplained wants each user's having received a notification, or not, and
// what they did to it explained.
func compareExplained(ctx context.Context, t *rapid.T, q *queries.Queries, m *model) {
	for _, n := range m.order {
		user := rapid.SampledFrom(users).Draw(t, "explained to")
		got, err := q.Explain(ctx, n.NotificationID, user)
		if err != nil {
			t.Fatal(err)
		}
		mark := n.received[user]
		if got.Received != (mark != nil) || got.Position != n.Position {
			t.Fatalf("%s at %s to %s: got %+v, want received %v", n.NotificationID, n.Position, user, got, mark != nil)
		}
		if mark == nil {
			continue
		}
		if kept := got.State.Retained; kept != nil && *kept != (n.Position > m.hidden(user, now)) {
			t.Fatalf("%s to %s: retained is %v, hidden is %s", n.NotificationID, user, *kept, m.hidden(user, now))
		}
		if d := diff([]*time.Time{got.State.SeenAt, got.State.ReadAt, got.State.ArchivedAt, got.State.DeletedAt}, []*time.Time{mark.seen, mark.read, mark.archived, mark.deleted}); d != "" {
			t.Fatalf("%s to %s: got -, want +\n%s", n.NotificationID, user, d)
		}
	}
}

func compareTopics(ctx context.Context, t *rapid.T, q *queries.Queries, m *model) {
	got := walk(t, m, func(limit int, cursor string) (queries.Page[queries.Topic], error) {
		return q.Topics(ctx, limit, cursor, queries.AtLeast(m.position))
	})
	var want []queries.Topic
	for name, description := range m.described {
		subscribers := compareSubscribers(ctx, t, q, m, name, queries.AsOf{})
		want = append(want, queries.Topic{Topic: name, Description: description, Subscribers: subscribers})
	}
	slices.SortFunc(want, func(a, b queries.Topic) int { return strings.Compare(string(a.Topic), string(b.Topic)) })
	if d := diff(got, want); d != "" {
		t.Fatalf("topics: got -, want +\n%s", d)
	}
	for _, topic := range want {
		topic.Checkpoint = m.position
		if got, err := q.Topic(ctx, topic.Topic, queries.AtLeast(m.position)); err != nil || got != topic {
			t.Fatalf("topic %s: got %+v, %v, want %+v", topic.Topic, got, err, topic)
		}
	}
}

// compareSubscribers says how many there must be, as of a moment that is the model's;
// their order is the read model's.
func compareSubscribers(ctx context.Context, t *rapid.T, q *queries.Queries, m *model, topic events.Topic, of queries.AsOf) int {
	got := walk(t, m, func(limit int, cursor string) (queries.Page[queries.Subscriber], error) {
		return q.Subscribers(ctx, queries.SubscribersQuery{Topic: topic, Limit: limit, Cursor: cursor, AsOf: of}, queries.AtLeast(m.position))
	})
	var want []queries.Subscriber
	for user, subs := range m.subs {
		if p := subs[topic]; p != nil {
			want = append(want, queries.Subscriber{User: user, Since: p.Since, MinSeverity: p.MinSeverity, Filter: p.Filter, Muted: p.Muted})
		}
	}
	byUser := func(a, b queries.Subscriber) int { return strings.Compare(string(a.User), string(b.User)) }
	slices.SortFunc(got, byUser)
	slices.SortFunc(want, byUser)
	if d := diff(got, want); d != "" {
		t.Fatalf("subscribers of %s as of %+v: got -, want +\n%s", topic, of, d)
	}
	return len(want)
}
