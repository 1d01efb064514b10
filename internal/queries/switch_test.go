package queries_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidings-io/tidings/internal/queries"
)

// TestASnapshotThatPredatesASwitch: a query begins while the views are being moved
// to another version, whose last events its snapshot does not show though the old
// version's readers have seen them.
func TestASnapshotThatPredatesASwitch(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(context.Context, *queries.Queries) error{
		"one statement": func(ctx context.Context, q *queries.Queries) error {
			_, err := q.Inbox(ctx, queries.InboxQuery{User: "alice", Limit: 1}, 10)
			return err
		},
		"several": func(ctx context.Context, q *queries.Queries) error {
			_, err := q.Inbox(ctx, queries.InboxQuery{User: "alice", Limit: 1, Counts: true}, 10)
			return err
		},
		"the past": func(ctx context.Context, q *queries.Queries) error {
			_, err := q.Inbox(ctx, queries.InboxQuery{User: "alice", Limit: 1, AsOf: queries.AsOf{Position: 5}}, 10)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, pool := database(t)
			move(t, pool, 10, false)
			op := operator(t, url)
			do(t, op, "create schema other; create table other.projections (like projections including defaults)")
			do(t, op, "insert into other.projections select * from projections; update other.projections set position = 9")
			do(t, op, "alter table projections rename to old; create view projections as select * from old")

			tx, err := op.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(t.Context(), "create or replace view projections as select * from other.projections"); err != nil {
				t.Fatal(err)
			}
			answered := make(chan error, 1)
			go func() { answered <- ask(within(t, 20*time.Second), queries.New(pool, queries.Options{})) }()
			watcher := operator(t, url)
			until(t, watcher, "select count(*) > 0 from pg_locks where not granted and database = (select oid from pg_database where datname = current_database())")
			do(t, watcher, "update other.projections set position = 10")
			if err := tx.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := <-answered; err != nil {
				t.Error(err)
			}
		})
	}
}

func do(t *testing.T, pool *pgxpool.Pool, sql string) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}
