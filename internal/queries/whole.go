package queries

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
)

// Whole is all that the tables say of one user's inbox, read in one snapshot.
type Whole struct {
	Position events.Position // the checkpoint of the snapshot
	At       time.Time       // the time the answer is given for
	Keep     inbox.Retention // what the tables are kept by
	Periods  []inbox.Period  // closed ones included
	Muted    []events.Topic
	Items    []inbox.Item // those visible, archived ones too, newest first, without their content
	Counts   InboxCounts
	// Tally is what the tables remember of how many marks there are, and Marked how
	// many there are.
	Tally, Marked Tally
}

// Tally says how many of a user's items are marked.
type Tally struct {
	Away int // archived or deleted
	Read int // of those not away
	Seen int // of those not away
}

var (
	someUsersSQL    = statement("some_users")
	wholeStateSQL   = statement("whole_state")
	wholeTalliesSQL = statement("whole_tallies")
	wholeItemsSQL   = statement("whole_items")
)

// SomeUsers are at most n users picked at random, each once: an index probe each,
// however many users there are.
func (q *Queries) SomeUsers(ctx context.Context, n int) ([]events.User, error) {
	limited, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	rows, err := q.pool.Query(limited, someUsersSQL, n)
	if err != nil {
		return nil, fault(ctx, "pick some users", err)
	}
	users, err := pgx.CollectRows(rows, pgx.RowTo[events.User])
	return users, fault(ctx, "pick some users", err)
}

// Whole is all that the tables say of a user's inbox now.
func (q *Queries) Whole(ctx context.Context, user events.User) (Whole, error) {
	limited, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	r := wholeReader{user: user, whole: Whole{At: q.now().UTC().Truncate(time.Microsecond)}}
	err := q.inOneSnapshot(limited, func(tx pgx.Tx) error {
		return tx.SendBatch(limited, r.batch()).Close()
	})
	if err != nil {
		return Whole{}, fault(ctx, fmt.Sprintf("read the whole inbox of %s", user), err)
	}
	return r.all(), nil
}

// wholeReader gathers the parts of a Whole.
type wholeReader struct {
	user    events.User
	whole   Whole
	rules   snapshotReader // periods and mutes
	horizon events.Position
	items   []received
}

// received is an item, whatever became of it.
type received struct {
	inbox.Item

	gone bool // retracted or deleted
}

func (r *wholeReader) batch() *pgx.Batch {
	b, w := new(pgx.Batch), &r.whole
	b.Queue(wholeStateSQL, w.At, r.user).QueryRow(func(row pgx.Row) error {
		var seconds int64
		err := row.Scan(&w.Position, &seconds, &w.Keep.Items, &w.Keep.Above, &r.horizon)
		r.horizon = max(r.horizon, w.Keep.Above)
		w.Keep.Age = time.Duration(seconds) * time.Second
		return err
	})
	r.rules.queue(b, r.rules.period, periodsSQL, string(r.user))
	r.rules.queue(b, r.rules.mutes, mutedSQL, string(r.user))
	r.rules.queue(b, w.Counts.scan, countsSQL, countsArgs(r.user, w.At)...)
	b.Queue(wholeTalliesSQL, r.user).QueryRow(func(row pgx.Row) error {
		return row.Scan(&w.Tally.Away, &w.Tally.Read, &w.Tally.Seen, &w.Marked.Away, &w.Marked.Read, &w.Marked.Seen)
	})
	b.Queue(wholeItemsSQL, r.user).Query(every(r.item))
	return b
}

// every gives each row to read.
func every(read func(pgx.Rows) error) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		for rows.Next() {
			if err := read(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	}
}

func (r *wholeReader) item(row pgx.Rows) error {
	var (
		i       received
		targets []string
	)
	err := row.Scan(&i.Position, &i.ID, &targets, (*uint8)(&i.Severity), &i.PublishedAt, &i.ExpiresAt, &i.gone,
		&i.SeenAt, &i.ReadAt, &i.ArchivedAt)
	i.To = events.SeenBy(parseTargets(targets), r.user)
	toUTC(&i.PublishedAt, i.ExpiresAt, i.SeenAt, i.ReadAt, i.ArchivedAt)
	r.items = append(r.items, i)
	return err
}

// all is the answer, with what is visible of what was received.
func (r *wholeReader) all() Whole {
	w, kept := r.whole, r.items // newest first
	if w.Keep.Items > 0 {
		kept = kept[:min(w.Keep.Items, len(kept))]
	}
	for _, i := range kept {
		if expired := i.ExpiresAt != nil && !i.ExpiresAt.After(w.At); !i.gone && !expired && i.Position > r.horizon {
			w.Items = append(w.Items, i.Item)
		}
	}
	w.Periods, w.Muted = r.rules.periods, r.rules.muted
	return w
}
