package queries_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
	"github.com/tidings-io/tidings/internal/queries"
)

// now is the time of all answers: an hour after the logs begin some of what they
// hold has expired, to the second.
var now = began

// same compares answers; an empty list is as good as none.
var same = cmpopts.EquateEmpty()

func TestAnswersAreThoseOfANaiveFold(t *testing.T) {
	t.Parallel()
	pool := database(t)
	q := queries.New(pool, queries.Options{Now: func() time.Time { return now }})
	ctx := t.Context()
	rapid.Check(t, func(t *rapid.T) {
		m := fold(drawLog(t, 60))
		write(ctx, t, pool, m, rapid.IntRange(0, 4).Draw(t, "store limit"))
		compare(ctx, t, q, m)
	})
}

// compare asks everything about everybody and wants the model's answers.
func compare(ctx context.Context, t *rapid.T, q *queries.Queries, m *model) {
	nobody := events.User("nobody")
	for _, user := range append([]events.User{nobody}, users...) {
		comparePages(ctx, t, q, m, user)
		compareCounts(ctx, t, q, m, user)
		compareMissed(ctx, t, q, m, user)
		compareNewest(ctx, t, q, m, user)
	}
}

func comparePages(ctx context.Context, t *rapid.T, q *queries.Queries, m *model, user events.User) {
	for _, ask := range asks(user) {
		ask.Limit = rapid.IntRange(1, 7).Draw(t, "limit")
		var got []inbox.Item
		for {
			page, err := q.Inbox(ctx, ask, queries.AtLeast(m.position))
			if err != nil {
				t.Fatal(err)
			}
			if page.Position != m.position {
				t.Fatalf("the inbox of %s is at %s, want %s", user, page.Position, m.position)
			}
			if page.NextCursor != "" && len(page.Items) != ask.Limit || page.NextCursor == "" && ask.Cursor != "" && len(page.Items) == 0 {
				t.Fatalf("a page of %d with %d items and next cursor %q", ask.Limit, len(page.Items), page.NextCursor)
			}
			got = append(got, page.Items...)
			if ask.Cursor = page.NextCursor; ask.Cursor == "" {
				break
			}
		}
		if diff := cmp.Diff(got, m.inbox(ask, now), same); diff != "" {
			t.Fatalf("%+v: got -, want +\n%s", ask, diff)
		}
	}
}

// asks are the queries a user's inbox is compared by.
func asks(user events.User) []queries.InboxQuery {
	high := events.SeverityHigh
	asks := []queries.InboxQuery{{User: user}, {User: user, Severity: &high}}
	for _, state := range queries.States {
		asks = append(asks,
			queries.InboxQuery{User: user, State: state},
			queries.InboxQuery{User: user, State: state, Topic: topics[0]},
			queries.InboxQuery{User: user, State: state, Topic: topics[1], Severity: &high})
	}
	return asks
}

func compareCounts(ctx context.Context, t *rapid.T, q *queries.Queries, m *model, user events.User) {
	got, err := q.Counts(ctx, user, queries.AtLeast(m.position))
	if err != nil {
		t.Fatal(err)
	}
	if want := m.counts(user, now); got != want {
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
	if diff := cmp.Diff(got, m.missed(user, after, now), same); diff != "" {
		t.Fatalf("%s after %s: got -, want +\n%s", user, after, diff)
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
	if diff := cmp.Diff(s.Periods, want, same); diff != "" {
		t.Fatalf("periods of %s: got -, want +\n%s", ask.User, diff)
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
		if j := len(want) - 1 - i; len(got.Entries) != len(want) || !cmp.Equal(*e.Item, want[j], same) {
			t.Fatalf("newest %d of %s: got %+v, want reversed %+v", ask.Newest, user, got.Entries, want)
		}
	}
	if len(got.Entries) != len(want) || got.Through != m.position {
		t.Fatalf("newest %d of %s: got %+v, want reversed %+v", ask.Newest, user, got, want)
	}
}
