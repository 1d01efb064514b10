package selfcheck

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/memory"
	"github.com/tidings-io/tidings/internal/inbox"
	"github.com/tidings-io/tidings/internal/postgres"
	"github.com/tidings-io/tidings/internal/projections"
	"github.com/tidings-io/tidings/internal/queries"
)

// model is a real read model that follows a log in memory.
type model struct {
	store  *memory.Store
	pool   *pgxpool.Pool
	reads  *queries.Queries
	job    Job
	logged *bytes.Buffer
}

func follow(t *testing.T, keep projections.Retention) *model {
	t.Helper()
	url := postgres.Fresh(t)
	if err := projections.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	m := &model{store: new(memory.Store), pool: pool, reads: queries.New(pool, queries.Options{}), logged: new(bytes.Buffer)}
	m.job = Job{
		Log: m.store, Tables: m.reads, Metrics: NewMetrics(nil), Pace: 1_000_000, Logger: slog.New(slog.NewTextHandler(m.logged, nil)),
	}.filled()
	projector := projections.Inbox{
		DatabaseURL: url, Source: m.store, StoreLimit: 2, Retention: keep, StoreID: func(context.Context) (uuid.UUID, error) { return nid(0), nil },
	}
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- projector.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
	return m
}

// record appends events and waits until they are in the tables.
func (m *model) record(t *testing.T, evs ...events.Event) {
	t.Helper()
	record(t, m.store, evs...)
	m.wait(t)
}

func (m *model) wait(t *testing.T) {
	t.Helper()
	head, err := m.store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := m.reads.WaitFor(ctx, head); err != nil {
		t.Fatal(err)
	}
}

// round checks all users, and is what was logged.
func (m *model) round(t *testing.T) string {
	t.Helper()
	m.logged.Reset()
	if err := m.job.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	return m.logged.String()
}

// story has everything that can happen to items, joined and stored ones.
func story() []events.Event {
	ann := func(n int) events.Items { return events.Items{User: "ann", IDs: []uuid.UUID{nid(n)}} }
	log := history()   // 1 and 3 by topic, 2 by name
	for n := range 4 { // so that a is joined
		log = append(log, events.Subscribed{User: events.User(fmt.Sprint("user", n)), Topic: "a"})
	}
	expired := published(12, events.Target{User: "ann"})
	expired.ExpiresAt = new(time.Now().Add(-time.Hour))
	return append(log,
		published(10, events.Target{Topic: "a"}), published(11, events.Target{Topic: "a"}), expired,
		published(13, events.Target{User: "ann"}, events.Target{Topic: "a"}), published(14, events.Target{User: "ann"}),
		events.SubscriptionChanged{User: "ann", Topic: "a", Rules: events.Rules{Filter: `title == "x"`}},
		published(15, events.Target{Topic: "a"}),
		events.ItemsSeen{Items: events.Items{User: "ann", Through: 16}}, events.ItemsDeleted{Items: ann(11)},
		events.Retracted{NotificationID: nid(14), To: []events.Target{{User: "ann"}}}, events.ItemsUnread{Items: ann(1)},
		events.ItemsRead{Items: ann(13)}, events.PreferencesSet{User: "ann"}, events.Unsubscribed{User: "ann", Topic: "b"},
	)
}

// TestTamperedTablesAreFound: each kind of damage is found with the user's name, and
// nothing is before and after it.
func TestTamperedTablesAreFound(t *testing.T) {
	t.Parallel()
	m := follow(t, projections.Retention{})
	m.record(t, story()...)
	if got := m.round(t); got != "" {
		t.Fatalf("before anything was changed: %s", got)
	}
	const ann = "(select user_id from users where name = 'ann')"
	const direct = "(select position from notifications where id = '%s')"
	second, tenth := fmt.Sprintf(direct, nid(2)), fmt.Sprintf(direct, nid(10))
	for _, c := range []struct{ kind, damage, repair, want string }{
		{
			"a missing row", "delete from inbox where user_id = " + ann + " and position = " + second,
			"insert into inbox values (" + ann + ", " + second + ", false)", "the item at 5 is missing",
		},
		{
			"a row too many", "insert into inbox values ((select user_id from users where name = 'bob'), 4, false)",
			"delete from inbox where position = 4 and user_id = (select user_id from users where name = 'bob')", "user=bob",
		},
		{
			"a wrong mark", "update marks set read_at = now() where user_id = " + ann + " and position = " + second,
			"update marks set read_at = null where user_id = " + ann + " and position = " + second, "the item at 5: the log says",
		},
		{
			"a lost mark", "update marks set seen_at = null where user_id = " + ann + " and position = " + tenth,
			"update marks set seen_at = (select at from changes where change = 'seen') where user_id = " + ann + " and position = " + tenth,
			"the item at 14: the log says",
		},
		{
			"a wrong tally", "update tallies set read = read - 1 where user_id = " + ann,
			"update tallies set read = read + 1 where user_id = " + ann, "tallies: there are marks of",
		},
		{
			"a wrong period", "update periods set from_position = 7 where from_position = 1",
			"update periods set from_position = 1 where from_position = 7", "the period of a from 1 is missing",
		},
		{
			"a wrong rule", "update periods set min_severity = 3 where until_position < 1000 and user_id = " + ann + " and from_position = 2",
			"update periods set min_severity = 2 where from_position = 2", "the period of b from 2",
		},
		{
			"a lost target", "delete from audience_targets where position = " + tenth,
			"insert into audience_targets select min(audience_id), " + tenth + ", 1, false from audiences", "the item at 14 is missing",
		},
		{
			"a retraction forgotten", "update notifications set retracted_position = null where id = '" + nid(14).String() + "'",
			"update notifications set retracted_position = (select position from retractions) where id = '" + nid(14).String() + "'", "the item at 18 should not be there",
		},
	} {
		m.do(t, c.damage)
		got := m.round(t)
		for _, want := range []string{c.want, "level=ERROR", "tidings projections rebuild"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q is not in %q", c.kind, want, got)
			}
		}
		if !strings.Contains(got, "user=ann") && !strings.Contains(got, "user=bob") {
			t.Errorf("%s: nobody is named in %q", c.kind, got)
		}
		m.do(t, c.repair)
		if got := m.round(t); got != "" {
			t.Fatalf("%s was put right, and yet: %s", c.kind, got)
		}
	}
}

func (m *model) do(t *testing.T, sql string) {
	t.Helper()
	if tag, err := m.pool.Exec(t.Context(), sql); err != nil || tag.RowsAffected() != 1 {
		t.Fatalf("%s: %s, %v", sql, tag, err)
	}
}

// TestNothingIsFoundWhileTheProjectionGoesOn: rounds beside a log that grows find
// nothing.
func TestNothingIsFoundWhileTheProjectionGoesOn(t *testing.T) {
	t.Parallel()
	m := follow(t, projections.Retention{})
	m.record(t, story()...)
	m.beside(t)
	if got := value(t, m.job.Metrics.users); got < 16*3 {
		t.Errorf("only %v users were checked", got)
	}
}

// TestRetentionIsFoldedAsTheTablesGoByIt: by number and by age, while items grow too
// old and too many.
func TestRetentionIsFoldedAsTheTablesGoByIt(t *testing.T) {
	t.Parallel()
	for rule, keep := range map[string]projections.Retention{
		"by number": {KeepItems: 40}, "by age": {KeepAge: time.Second}, "by both": {KeepItems: 40, KeepAge: time.Second},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			m := follow(t, keep)
			m.record(t, story()...)
			m.beside(t)
		})
	}
}

// beside makes rounds beside a log that grows, and one after.
func (m *model) beside(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for n := 100; ctx.Err() == nil && n < 6000; n++ {
			if err := m.append(ctx, busy(n)); err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
		}
	}()
	for range 15 {
		if got := m.round(t); got != "" {
			t.Errorf("while events came: %s", got)
		}
	}
	stop()
	<-ended
	m.wait(t)
	if got := m.round(t); got != "" {
		t.Errorf("afterwards: %s", got)
	}
}

// append is record for another goroutine than the test's.
func (m *model) append(ctx context.Context, e events.Event) error {
	p, err := events.Encode(e, "test", 0, events.Metadata{Attempt: uuid.New()})
	if err == nil {
		_, err = m.store.Append(ctx, "test", events.Any(), p)
	}
	return err
}

// busy is something that may happen at any time.
func busy(n int) events.Event {
	user := events.User([]string{"ann", "bob", "cyd", "user1"}[n%4])
	switch rand.N(5) {
	case 0:
		return published(n, events.Target{Topic: "a"}, events.Target{User: user})
	case 1:
		return published(n, events.Target{Topic: "a"})
	case 2:
		muted := [][]events.Topic{nil, {"a"}, {"a", "b"}}[rand.N(3)]
		return events.PreferencesSet{User: user, Preferences: events.Preferences{MutedTopics: muted}}
	default:
		items := events.Items{User: user, IDs: []uuid.UUID{nid(n - 1), nid(n - 2), nid(n - 3)}}
		e, err := inbox.Event(inbox.ChangeNames[rand.N(len(inbox.ChangeNames))], items)
		if err != nil {
			panic(err)
		}
		return e
	}
}

// TestSomeUsersArePickedOnce: each user at most once, and all of a few in time.
func TestSomeUsersArePickedOnce(t *testing.T) {
	t.Parallel()
	m := follow(t, projections.Retention{})
	if users, err := m.reads.SomeUsers(t.Context(), 10); err != nil || len(users) != 0 {
		t.Errorf("of nobody: %v, %v", users, err)
	}
	m.record(t, story()...)
	users, err := m.reads.SomeUsers(t.Context(), 200)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[events.User]bool{}
	for _, user := range users {
		if seen[user] {
			t.Errorf("%s is picked twice", user)
		}
		seen[user] = true
	}
	if len(seen) != 6 {
		t.Errorf("%d users after 200 draws, want 6", len(seen))
	}
}
