package queries

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidings-io/tidings/internal/inbox"
)

// BenchmarkHeavyUser asks for what a user with 20,000 stored and 80 joined items
// has, all of the stored ones read: testdata/volume.sql.
func BenchmarkHeavyUser(b *testing.B) {
	pool, err := pgxpool.New(b.Context(), volume(b).Config().ConnString())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	q := New(pool, Options{})
	asks := map[string]func() error{
		"page of 50": func() error {
			_, err := q.Inbox(b.Context(), InboxQuery{User: "u1", Limit: 50})
			return err
		},
		"unread page of 50": func() error {
			_, err := q.Inbox(b.Context(), InboxQuery{User: "u1", Limit: 50, State: StateUnread})
			return err
		},
		"counts": func() error {
			_, err := q.Counts(b.Context(), "u1", AsOf{})
			return err
		},
		"resume from the beginning": func() error {
			_, err := q.Snapshot(b.Context(), inbox.Ask{User: "u1", Resume: true})
			return err
		},
		"resume with nothing missed": func() error {
			_, err := q.Snapshot(b.Context(), inbox.Ask{User: "u1", Resume: true, After: 2_000_000})
			return err
		},
	}
	for name, ask := range asks {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := ask(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
