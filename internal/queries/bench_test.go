package queries

import (
	"context"
	"flag"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidings-io/tidings/internal/inbox"
)

var filled = flag.String("figure-url", "", "a database that testdata/figure.sql has filled already: filling takes a minute")

// BenchmarkFigure asks for what performance.md speaks of, among 10 M stored rows:
// u1 has 9,091 stored items, read, and 1,000 joined ones, unread; u2 has read all.
// The floor is a page of the same size from the index, with its notifications.
func BenchmarkFigure(b *testing.B) {
	ctx := b.Context()
	q := New(figure(b), Options{})
	page := func(ask InboxQuery) func() error {
		return func() error {
			ask.Limit = 50
			_, err := q.Inbox(ctx, ask)
			return err
		}
	}
	past := AsOf{Position: 19_000_000}
	for _, c := range []struct {
		name string
		ask  func() error
	}{
		{"floor", func() error { return floor(ctx, q) }},
		{"page", page(InboxQuery{User: "u1"})},
		{"page of unread", page(InboxQuery{User: "u1", State: StateUnread})},
		{"page of unread, all read", page(InboxQuery{User: "u2", State: StateUnread})},
		{"page of read", page(InboxQuery{User: "u1", State: StateRead})},
		{"page of a topic", page(InboxQuery{User: "u1", Topic: "t37"})},
		{"page and counts", page(InboxQuery{User: "u1", Counts: true})},
		{"counts", func() error { _, err := q.Counts(ctx, "u1", AsOf{}); return err }},
		{"page as of", page(InboxQuery{User: "u1", AsOf: past})},
		{"counts as of", func() error { _, err := q.Counts(ctx, "u1", past); return err }},
		{"resume from the beginning", func() error { _, err := q.Snapshot(ctx, inbox.Ask{User: "u1", Resume: true}); return err }},
		{"resume with nothing missed", func() error {
			_, err := q.Snapshot(ctx, inbox.Ask{User: "u1", Resume: true, After: 20_000_000})
			return err
		}},
	} {
		b.Run(c.name, func(b *testing.B) { percentiles(b, c.ask) })
	}
}

// percentiles reports how long each of many calls took.
func percentiles(b *testing.B, ask func() error) {
	var took []time.Duration
	for range 20 { // statements are prepared and planned
		if err := ask(); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		began := time.Now()
		if err := ask(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	of := func(share float64) float64 {
		return float64(took[int(share*float64(len(took)-1))].Microseconds()) / 1000
	}
	b.ReportMetric(of(.5), "p50-ms")
	b.ReportMetric(of(.99), "p99-ms")
}

// floor is the least that any page must do.
func floor(ctx context.Context, q *Queries) error {
	const sql = `select n.* from (select position from inbox where user_id = 1 order by position desc limit 50) i join notifications n using (position)`
	rows, err := q.pool.Query(ctx, sql)
	if err != nil {
		return err
	}
	_, err = pgx.CollectRows(rows, pgx.RowToMap)
	return err
}

// figure is a pool of connections to a database that testdata/figure.sql filled.
func figure(b *testing.B) *pgxpool.Pool {
	b.Helper()
	url := *filled
	if url == "" {
		url = volume(b, "testdata/figure.sql").Config().ConnString()
	}
	pool, err := pgxpool.New(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	return pool
}
