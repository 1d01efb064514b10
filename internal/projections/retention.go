package projections

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidings-io/tidings/internal/events"
)

// Retention is what inboxes keep, a rule of every query.
type Retention struct {
	// KeepAge and KeepItems hide what is older, and what is not among a user's newest
	// items. 0 keeps for ever.
	KeepAge   time.Duration
	KeepItems int
	// KeepHistory is how far back answers about the past come from the tables at
	// least: what has been hidden for longer is deleted. 0 means DefaultKeepHistory.
	KeepHistory time.Duration
}

func (r Retention) check() error {
	if r.KeepAge < 0 || r.KeepItems < 0 || r.KeepHistory < 0 {
		return fmt.Errorf("the retention of %s, %d items and a history of %s is negative", r.KeepAge, r.KeepItems, r.KeepHistory)
	}
	return nil
}

// DefaultKeepHistory is how far back answers about the past come from the tables
// at least, unless a program is told otherwise.
const DefaultKeepHistory = 7 * 24 * time.Hour

const (
	cleanEvery = time.Second // a step, so that it takes a twentieth of the time at most
	cleanRest  = time.Minute // between two walks over everything, and after a fault
	// A step deletes from cleanFew to cleanRows, and looks at up to cleanMost users or
	// notifications: as much as takes neither long nor next to no time.
	cleanFew, cleanRows    = 1000, 5000
	cleanMost              = 4096
	cleanShort, cleanAmple = 12 * time.Millisecond, 50 * time.Millisecond
)

// keep writes down the retention that queries go by.
func (p *Inbox) keep(ctx context.Context, conn *pgx.Conn) error {
	seconds, items := int64(math.Ceil(p.KeepAge.Seconds())), int64(p.KeepItems)
	var (
		oldSeconds, oldItems int64
		cleaned              bool
	)
	if err := one(ctx, conn, sqlRetentionRead, []any{inboxName}, &oldSeconds, &oldItems, &cleaned); err != nil {
		return fmt.Errorf("read the retention: %w", err)
	}
	if seconds == oldSeconds && items == oldItems {
		return nil
	}
	if cleaned {
		p.logger.Warn("the retention has changed after rows were deleted by the old one: they stay hidden until a rebuild",
			"keep_age", p.KeepAge, "keep_items", items)
	}
	if err := exec(ctx, conn, sqlRetentionKeep, inboxName, seconds, items); err != nil {
		return fmt.Errorf("write down the retention: %w", err)
	}
	return nil
}

// cleaner deletes what retention, expiry and retraction have hidden for longer
// than history, in small steps between batches: two walks, over the users and over
// the notifications that end. No answer of today or of the last history changes by
// it; older ones come from the log.
type cleaner struct {
	history time.Duration
	rows    int64 // a step deletes at most; 0 means cleanRows
	due     time.Time
	users   walk
	ended   walk
	turn    bool // whose turn it is: that of ended
}

// walk goes through a table in the order of its key, again and again.
type walk struct {
	after int64
	look  int   // how many rows the next step looks at
	most  int64 // and how many it deletes
	rest  time.Time
}

// step makes one step if it is due, and returns how many rows that deleted.
func (c *cleaner) step(ctx context.Context, w *writer, now time.Time) (rows int64, err error) {
	if now.Before(c.due) || w.clock.Events == 0 {
		return 0, nil
	}
	c.due = now.Add(cleanEvery)
	c.turn = !c.turn
	of := &c.users
	if c.turn {
		of = &c.ended
	}
	if now.Before(of.rest) {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	defer func() {
		if err != nil {
			rows, c.due = 0, now.Add(cleanRest)
			err = errors.Join(fmt.Errorf("delete what is hidden: %w", err), w.rollback(ctx))
		}
	}()
	if c.rows == 0 {
		c.rows = cleanRows
	}
	b, err := w.hidden(ctx, now.Add(-c.history))
	if err != nil {
		return 0, err
	}
	switch {
	case c.turn && b.keepItems == 0:
		rows, err = of.step(ctx, w, now, sqlCleanEnded, c.rows, b.settled, b.since)
	case !c.turn && (b.aged > 0 || b.keepItems > 0):
		rows, err = of.step(ctx, w, now, sqlCleanUsers, c.rows, b.aged, b.keepItems, b.settled)
	default:
		of.rest = now.Add(cleanRest) // nothing of the kind is hidden
	}
	if err == nil {
		err = w.cleaned(ctx, b, rows)
	}
	return rows, err
}

// clean makes a step that is due. A fault of it must not keep events from being
// applied: one of the database will show there as well.
func (p *Inbox) clean(ctx context.Context, w *writer, c *cleaner) {
	rows, err := c.step(ctx, w, time.Now())
	p.metrics.cleaned.WithLabelValues(inboxName).Add(float64(rows))
	if err != nil && ctx.Err() == nil {
		p.logger.Warn("what is hidden stays in the tables for now", "error", err)
	}
}

// bounds say what has been hidden for long: see retention_bounds.sql.
type bounds struct {
	since         time.Time
	settled, aged int64
	keepItems     int64
	completeFrom  int64
}

// hidden begins a transaction that nobody else can write beside.
func (w *writer) hidden(ctx context.Context, since time.Time) (b bounds, err error) {
	var batch pgx.Batch
	batch.Queue("begin")
	batch.Queue(sqlCheckpointLock, inboxName).QueryRow(w.fence)
	batch.Queue(sqlRetentionBounds, inboxName, since).QueryRow(func(row pgx.Row) error {
		return row.Scan(&b.since, &b.settled, &b.aged, &b.keepItems, &b.completeFrom)
	})
	return b, w.conn.SendBatch(ctx, &batch).Close()
}

// cleaned ends it, and notes how far back the tables are complete if they no
// longer are.
func (w *writer) cleaned(ctx context.Context, b bounds, rows int64) error {
	var batch pgx.Batch
	if rows > 0 {
		batch.Queue(sqlRetentionComplete, inboxName, b.completeFrom, b.since)
	}
	batch.Queue("commit")
	return w.conn.SendBatch(ctx, &batch).Close()
}

// step goes on with a walk, or stays where it is while there is more to delete.
func (k *walk) step(ctx context.Context, w *writer, now time.Time, sql string, most int64, args ...any) (int64, error) {
	if k.look == 0 {
		k.look, k.most = 1, most
	}
	began := time.Now()
	var last, seen, rows, marks int64
	err := w.conn.QueryRow(ctx, sql, append([]any{k.after, k.look, k.most}, args...)...).Scan(&last, &seen, &rows, &marks)
	if err != nil {
		return 0, fmt.Errorf("after %d: %w", k.after, err)
	}
	switch {
	case rows >= k.most || marks >= k.most: // there is more
	case seen < int64(k.look):
		k.after, k.rest = 0, now.Add(cleanRest)
	default:
		k.after = last
	}
	k.adapt(time.Since(began), most)
	return rows + marks, nil
}

// adapt has the next step do more or less.
func (k *walk) adapt(took time.Duration, most int64) {
	switch {
	case took > cleanAmple:
		k.look, k.most = max(k.look/2, 1), max(k.most/2, min(most, cleanFew))
	case took < cleanShort:
		k.look, k.most = min(2*k.look, cleanMost), min(2*k.most, most)
	}
}

// fence says whether the checkpoint is still where this writer left it.
func (w *writer) fence(row pgx.Row) error {
	var position int64
	err := row.Scan(&position)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && events.Position(position) != w.position { //nolint:gosec // never negative
		return errFenced
	}
	return err
}
