package queries_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/queries"
)

// move commits a checkpoint as the projector does, with or without its notice.
func move(t *testing.T, pool *pgxpool.Pool, at events.Position, notice bool) {
	t.Helper()
	const upsert = `insert into projections (name, store_id, position) values ('inbox', gen_random_uuid(), $1)
		on conflict (name) do update set position = excluded.position`
	if _, err := pool.Exec(t.Context(), upsert, uint64(at)); err != nil {
		t.Fatal(err)
	}
	if notice {
		if _, err := pool.Exec(t.Context(), "select pg_notify('tidings_inbox', $1)", at.String()); err != nil {
			t.Fatal(err)
		}
	}
}

// within bounds a wait that is expected to end well.
func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestWaitingEndsByPollingAlone(t *testing.T) {
	t.Parallel()
	_, pool := database(t)
	q := queries.New(pool, queries.Options{Poll: time.Millisecond})
	var waiting sync.WaitGroup
	for p := range events.Position(20) {
		waiting.Go(func() {
			if err := q.WaitFor(within(t, 20*time.Second), p); err != nil {
				t.Errorf("position %s: %v", p, err)
			}
		})
	}
	for p := range events.Position(20) {
		move(t, pool, p, false)
	}
	waiting.Wait()
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := q.WaitFor(short, 20); !errors.Is(err, queries.ErrNotYetProjected) {
		t.Errorf("beyond the checkpoint: got %v, want %v", err, queries.ErrNotYetProjected)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := q.WaitFor(gone, 20); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: got %v, want %v", err, context.Canceled)
	}
}

// listening runs what hears notices until the test ends.
func listening(t *testing.T, q *queries.Queries) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- q.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
}

// listens is whether Run is at its first look, before which it has begun to hear.
const listens = "select count(*) > 0 from pg_stat_activity where query like '-- One row%' and state = 'idle' and pid <> pg_backend_pid()"

func TestANoticeEndsTheWaitBeforeTheNextLook(t *testing.T) {
	t.Parallel()
	_, pool := database(t)
	q := queries.New(pool, queries.Options{Poll: time.Hour})
	listening(t, q)
	move(t, pool, 1, false)
	until(t, pool, listens)
	for p := events.Position(2); p < 20; p++ {
		waited := make(chan error, 1)
		go func() { waited <- q.WaitFor(within(t, 20*time.Second), p) }()
		move(t, pool, p, true)
		if err := <-waited; err != nil {
			t.Fatal(err)
		}
	}
}

// cut ends every connection but the operator's own.
const cut = "select count(pg_terminate_backend(pid)) > 0 from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"

// operator is a pool of one connection, which outlives every cut.
func operator(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = 1
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func TestListeningComesBackAfterItWasCut(t *testing.T) {
	t.Parallel()
	url, pool := database(t)
	op := operator(t, url)
	q := queries.New(pool, queries.Options{Poll: time.Hour, Logger: slog.New(slog.DiscardHandler)})
	listening(t, q)
	move(t, op, 1, false)
	until(t, op, listens)
	until(t, op, cut)
	until(t, op, listens)
	waited := make(chan error, 1)
	go func() { waited <- q.WaitFor(within(t, 20*time.Second), 2) }()
	move(t, op, 2, true)
	if err := <-waited; err != nil {
		t.Fatal(err)
	}
}

func TestAWaitOutlivesCutConnections(t *testing.T) {
	t.Parallel()
	url, pool := database(t)
	op := operator(t, url)
	q := queries.New(pool, queries.Options{Poll: time.Millisecond})
	move(t, op, 1, false)
	waited := make(chan error, 1)
	go func() { waited <- q.WaitFor(within(t, 20*time.Second), 2) }()
	for range 3 {
		until(t, op, cut)
	}
	move(t, op, 2, false)
	if err := <-waited; err != nil {
		t.Error(err)
	}
}

// until waits until a question to Postgres is answered with yes.
func until(t *testing.T, pool *pgxpool.Pool, question string) {
	t.Helper()
	ctx := within(t, 20*time.Second)
	for yes := false; !yes; {
		if err := pool.QueryRow(ctx, question).Scan(&yes); err != nil {
			t.Fatal(err)
		}
	}
}
