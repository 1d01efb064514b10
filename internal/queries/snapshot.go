package queries

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
)

const (
	defaultEntries = 1000
	maxEntries     = 10_000
)

var (
	periodsSQL     = statement("periods")
	mutedSQL       = statement("muted")
	itemsAfterSQL  = statement("items_after")
	changesSQL     = statement("changes_after")
	retractionsSQL = statement("retractions_after")
)

// Snapshot is what a follower needs before it goes live: the checkpoint, the
// user's periods and what the user missed, read in one snapshot. Archived items
// are among the missed ones, but not among the newest.
func (q *Queries) Snapshot(ctx context.Context, ask inbox.Ask) (inbox.Snapshot, error) {
	doing := fmt.Sprintf("read what %s missed", ask.User)
	if ask.Limit == 0 {
		ask.Limit = defaultEntries
	}
	if err := limit(ask.Limit, maxEntries); err != nil {
		return inbox.Snapshot{}, fmt.Errorf("%s: %w", doing, err)
	}
	limited, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	s := snapshotReader{ask: ask, now: q.now()}
	once := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(limited, q.pool, once, func(tx pgx.Tx) error {
		return tx.SendBatch(limited, s.batch()).Close()
	})
	if err != nil {
		return inbox.Snapshot{}, fault(ctx, doing, err)
	}
	return s.snapshot(), nil
}

// snapshotReader gathers the parts of one snapshot.
type snapshotReader struct {
	ask     inbox.Ask
	now     time.Time
	at      events.Position
	periods []inbox.Period
	muted   []events.Topic
	entries []inbox.Entry
}

// batch is what to ask, all in one round trip, and what to do with the answers.
func (s *snapshotReader) batch() *pgx.Batch {
	user, after, more := string(s.ask.User), uint64(s.ask.After), s.ask.Limit+1
	b := new(pgx.Batch)
	b.Queue(checkpointSQL).QueryRow(func(r pgx.Row) error {
		return r.Scan(&s.at, nil)
	})
	s.queue(b, s.period, periodsSQL, user)
	s.queue(b, s.mutes, mutedSQL, user)
	switch {
	case s.ask.Resume:
		s.queue(b, s.item, itemsAfterSQL, user, s.now, forEver, after, more)
		s.queue(b, s.change, changesSQL, user, after, more)
		s.queue(b, s.retraction, retractionsSQL, user, after, more)
	case s.ask.Newest > 0:
		newest := InboxQuery{User: s.ask.User, Limit: s.ask.Newest - 1} // its statement asks for one more
		sql, args := newest.statement(forEver, s.now)
		s.queue(b, s.item, sql, args...)
	}
	return b
}

// queue adds a statement whose rows go to each.
func (s *snapshotReader) queue(b *pgx.Batch, each func(row) error, sql string, args ...any) {
	b.Queue(sql, args...).Query(func(rows pgx.Rows) error {
		_, err := scan(rows, nil, each)
		return err
	})
}

func (s *snapshotReader) period(r row) error {
	var p inbox.Period
	var severity uint8
	err := r(&p.Topic, &p.From, &p.Until, &p.Since, &severity, &p.Filter, &p.Muted)
	p.MinSeverity = events.Severity(severity)
	s.periods = append(s.periods, p)
	return err
}

func (s *snapshotReader) mutes(r row) error { return r(&s.muted) }

func (s *snapshotReader) item(r row) error {
	item, err := scanItem(r, s.ask.User)
	s.entries = append(s.entries, inbox.Entry{Position: item.Position, Item: &item})
	return err
}

func (s *snapshotReader) change(r row) error {
	e := inbox.Entry{Change: new(inbox.Change)}
	err := r(&e.Position, &e.Change.Change, &e.Change.IDs, &e.Change.Through)
	s.entries = append(s.entries, e)
	return err
}

func (s *snapshotReader) retraction(r row) error {
	e := inbox.Entry{Retracted: new(uuid.UUID)}
	err := r(&e.Position, e.Retracted)
	s.entries = append(s.entries, e)
	return err
}

// snapshot puts the parts together: entries merged by position and, on a resume,
// cut to the limit.
func (s *snapshotReader) snapshot() inbox.Snapshot {
	slices.SortFunc(s.entries, func(a, b inbox.Entry) int { return cmp.Compare(a.Position, b.Position) })
	through := s.at
	if s.ask.Resume && len(s.entries) > s.ask.Limit {
		s.entries = s.entries[:s.ask.Limit]
		through = s.entries[s.ask.Limit-1].Position
	}
	return inbox.Snapshot{Position: s.at, Periods: s.periods, Muted: s.muted, Entries: s.entries, Through: through}
}
