package queries_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
	"github.com/tidings-io/tidings/internal/postgres"
	"github.com/tidings-io/tidings/internal/projections"
	"github.com/tidings-io/tidings/internal/queries"
)

// never is a store limit above any number of subscribers: nothing is joined when
// read.
const never = 1 << 30

// fatal is what the helpers here need of a test, rapid's included.
type fatal interface {
	Helper()
	Fatal(args ...any)
}

// database is the URL of a fresh database with the tables of the inbox, and a pool
// of connections to it.
func database(t testing.TB) (string, *pgxpool.Pool) {
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
	return url, pool
}

// empty makes the tables as they were at first.
func empty(ctx context.Context, t fatal, pool *pgxpool.Pool) {
	t.Helper()
	const all = "truncate projections, users, topics, audiences, periods, notifications, audience_targets, user_targets, inbox, marks, tallies, changes, retractions, preferences, clock"
	if _, err := pool.Exec(ctx, all); err != nil {
		t.Fatal(err)
	}
}

// project has the inbox projection fold what it has not yet seen of a log, with
// fan-out stored for topics of up to so many subscribers.
func project(ctx context.Context, t fatal, url string, q *queries.Queries, log written, storeLimit int, keep inbox.Retention, history time.Duration) {
	t.Helper()
	ctx, stop := context.WithTimeout(ctx, 30*time.Second)
	defer stop()
	projector := projections.Inbox{
		DatabaseURL: url, Source: log, StoreLimit: storeLimit, Retention: projections.Retention{KeepAge: keep.Age, KeepItems: keep.Items, KeepHistory: history},
		StoreID: func(context.Context) (uuid.UUID, error) { return storeID, nil },
	}
	ran := make(chan error, 1)
	go func() { ran <- projector.Run(ctx) }()
	err := q.WaitFor(ctx, log[len(log)-1].Position)
	status := projector.Status()
	stop()
	if failed := <-ran; failed != nil || err != nil {
		t.Fatal("project:", failed, err, status.State, status.Reason)
	}
}

// written is a log that is complete. It is the source the projection reads.
type written []events.Recorded

// Subscribe yields what is written after a position and then waits for nothing.
func (l written) Subscribe(ctx context.Context, after events.Position) iter.Seq2[events.Message, error] {
	return func(yield func(events.Message, error) bool) {
		for _, r := range l {
			if r.Position > after && !yield(events.Message{Event: new(stored(r))}, nil) {
				return
			}
		}
		if yield(events.Message{CaughtUp: true}, nil) {
			<-ctx.Done()
			yield(events.Message{}, ctx.Err())
		}
	}
}

// Head is the position of the last event.
func (l written) Head(context.Context) (events.Position, error) {
	return l[len(l)-1].Position, nil
}

// ReadAll yields what the filter picks after a position.
func (l written) ReadAll(_ context.Context, after events.Position, f events.Filter) iter.Seq2[events.Stored, error] {
	return func(yield func(events.Stored, error) bool) {
		for _, r := range l {
			if s := stored(r); r.Position > after && f.Match(s) && !yield(s, nil) {
				return
			}
		}
	}
}

// Read yields a stream's events from a revision on.
func (l written) Read(_ context.Context, stream events.StreamName, from events.Revision) iter.Seq2[events.Stored, error] {
	return func(yield func(events.Stored, error) bool) {
		for _, r := range l {
			if r.Stream == stream && r.Revision >= from && !yield(stored(r), nil) {
				return
			}
		}
	}
}

// stored is an event in the form the store keeps it in.
func stored(r events.Recorded) events.Stored {
	p, err := events.Encode(r.Event, r.Stream, 0, r.Metadata)
	if err != nil {
		panic(err)
	}
	return events.Stored{
		ID: r.ID, Stream: r.Stream, Revision: r.Revision, Position: r.Position, At: r.At.Add(700 * time.Nanosecond), // stores are finer than tables
		Type: p.Type, Data: p.Data, Metadata: p.Metadata,
	}
}
