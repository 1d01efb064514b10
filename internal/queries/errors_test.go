package queries_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidings-io/tidings/internal/inbox"
	"github.com/tidings-io/tidings/internal/postgres"
	"github.com/tidings-io/tidings/internal/queries"
)

// askAll is every query that takes demands, asked of nothing in particular.
var askAll = map[string]func(context.Context, *queries.Queries, ...queries.AtLeast) error{
	"Inbox": func(ctx context.Context, q *queries.Queries, d ...queries.AtLeast) error {
		_, err := q.Inbox(ctx, queries.InboxQuery{User: "alice", Limit: 1}, d...)
		return err
	},
	"Counts": func(ctx context.Context, q *queries.Queries, d ...queries.AtLeast) error {
		_, err := q.Counts(ctx, "alice", queries.AsOf{}, d...)
		return err
	},
	"Notification": func(ctx context.Context, q *queries.Queries, d ...queries.AtLeast) error {
		_, err := q.Notification(ctx, uuid.Nil, d...)
		return found(err)
	},
	"Recipients": func(ctx context.Context, q *queries.Queries, d ...queries.AtLeast) error {
		_, err := q.Recipients(ctx, uuid.Nil, d...)
		return found(err)
	},
	"Subscriptions": func(ctx context.Context, q *queries.Queries, d ...queries.AtLeast) error {
		_, err := q.Subscriptions(ctx, "alice", 1, "", d...)
		return err
	},
	"Topics": func(ctx context.Context, q *queries.Queries, d ...queries.AtLeast) error {
		_, err := q.Topics(ctx, 1, "", d...)
		return err
	},
	"Topic": func(ctx context.Context, q *queries.Queries, d ...queries.AtLeast) error {
		_, err := q.Topic(ctx, "builds", d...)
		return found(err)
	},
	"Subscribers": func(ctx context.Context, q *queries.Queries, d ...queries.AtLeast) error {
		_, err := q.Subscribers(ctx, queries.SubscribersQuery{Topic: "builds", Limit: 1}, d...)
		return err
	},
}

// found wants that nothing is found, which is no fault.
func found(err error) error {
	if err == nil {
		return errors.New("found what is not there")
	}
	if errors.Is(err, queries.ErrNotFound) {
		return nil
	}
	return err
}

func TestDemandsAreCheckedInTheAnsweringSnapshot(t *testing.T) {
	t.Parallel()
	_, pool := database(t)
	q := queries.New(pool, queries.Options{})
	for name, ask := range askAll {
		if err := ask(t.Context(), q); err != nil {
			t.Errorf("%s before anything is projected: %v", name, err)
		}
		if err := ask(t.Context(), q, 1); !errors.Is(err, queries.ErrNotYetProjected) {
			t.Errorf("%s at 0, at least 1: got %v, want %v", name, err, queries.ErrNotYetProjected)
		}
	}
	move(t, pool, 7, false)
	for name, ask := range askAll {
		if err := ask(t.Context(), q, 7, 6); err != nil {
			t.Errorf("%s at 7, at least 7 and 6: %v", name, err)
		}
		if err := ask(t.Context(), q, 6, 8); !errors.Is(err, queries.ErrNotYetProjected) {
			t.Errorf("%s at 7, at least 6 and 8: got %v, want %v", name, err, queries.ErrNotYetProjected)
		}
	}
}

func TestWithoutAReadModelQueriesAreUnavailable(t *testing.T) {
	t.Parallel()
	refused, err := pgxpool.New(t.Context(), "postgres://nobody@127.0.0.1:1/none")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(refused.Close)
	bare, err := pgxpool.New(t.Context(), postgres.Fresh(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bare.Close)
	slow := locked(t)
	cases := map[string]struct {
		pool    *pgxpool.Pool
		timeout time.Duration
	}{
		"nobody listens":                  {pool: refused},
		"the tables are not there":        {pool: bare},
		"no answer comes within the time": {pool: slow, timeout: 50 * time.Millisecond},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := queries.New(c.pool, queries.Options{Timeout: c.timeout, Poll: time.Millisecond})
			for query, ask := range askAll {
				if err := ask(t.Context(), q); !errors.Is(err, queries.ErrUnavailable) {
					t.Errorf("%s: got %v, want %v", query, err, queries.ErrUnavailable)
				}
			}
			if _, err := q.Snapshot(t.Context(), inbox.Ask{User: "alice", Resume: true}); !errors.Is(err, queries.ErrUnavailable) {
				t.Errorf("Snapshot: got %v, want %v", err, queries.ErrUnavailable)
			}
			if _, _, err := q.Checkpoint(t.Context()); !errors.Is(err, queries.ErrUnavailable) {
				t.Errorf("Checkpoint: got %v, want %v", err, queries.ErrUnavailable)
			}
			waiting, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			if err := q.WaitFor(waiting, 1); !errors.Is(err, queries.ErrUnavailable) {
				t.Errorf("WaitFor: got %v, want %v", err, queries.ErrUnavailable)
			}
		})
	}
}

// locked is a pool to a database in which nothing can be read while the test runs.
func locked(t *testing.T) *pgxpool.Pool {
	t.Helper()
	_, pool := database(t)
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) })
	if _, err := tx.Exec(t.Context(), "lock table projections in access exclusive mode"); err != nil {
		t.Fatal(err)
	}
	return pool
}

func TestWhoeverGoesAwayIsNoFaultOfPostgres(t *testing.T) {
	t.Parallel()
	q := queries.New(locked(t), queries.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, ask := range askAll {
		if err := ask(ctx, q); !errors.Is(err, context.Canceled) || errors.Is(err, queries.ErrUnavailable) {
			t.Errorf("%s: got %v, want only %v", name, err, context.Canceled)
		}
	}
}

func TestPagesThatCannotBe(t *testing.T) {
	t.Parallel()
	_, pool := database(t)
	q := queries.New(pool, queries.Options{})
	lists := map[string]struct {
		most int
		read func(limit int, cursor string) error
	}{
		"Inbox": {100, func(limit int, cursor string) error {
			_, err := q.Inbox(t.Context(), queries.InboxQuery{User: "alice", Limit: limit, Cursor: cursor})
			return err
		}},
		"Subscriptions": {100, func(limit int, cursor string) error {
			_, err := q.Subscriptions(t.Context(), "alice", limit, cursor)
			return err
		}},
		"Topics": {100, func(limit int, cursor string) error {
			_, err := q.Topics(t.Context(), limit, cursor)
			return err
		}},
		"Subscribers": {1000, func(limit int, cursor string) error {
			_, err := q.Subscribers(t.Context(), queries.SubscribersQuery{Topic: "builds", Limit: limit, Cursor: cursor})
			return err
		}},
	}
	// The last four are "i", "x1", "i-1" and "i1" with a bit too many.
	cursors := []string{"!", "7", "a", "aQ", "eDE", "aS0x", "aTF"}
	for name, l := range lists {
		for _, limit := range []int{-1, 0, l.most + 1} {
			if err := l.read(limit, ""); !errors.Is(err, queries.ErrBadLimit) {
				t.Errorf("%s with limit %d: got %v, want %v", name, limit, err, queries.ErrBadLimit)
			}
		}
		if err := l.read(l.most, ""); err != nil {
			t.Errorf("%s with limit %d: %v", name, l.most, err)
		}
		for _, cursor := range cursors {
			if err := l.read(1, cursor); !errors.Is(err, queries.ErrBadCursor) {
				t.Errorf("%s with cursor %q: got %v, want %v", name, cursor, err, queries.ErrBadCursor)
			}
		}
	}
}
