package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.opentelemetry.io/otel/trace"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
)

const (
	// applyTimeout bounds one transaction; the largest take seconds.
	applyTimeout = 2 * time.Minute
	// stepTimeout bounds anything that takes one row.
	stepTimeout = 10 * time.Second
)

// writer applies spans of the log on one connection.
type writer struct {
	conn       *pgx.Conn
	storeLimit int
	metrics    *Metrics
	applied    func(events.Position) // called after each commit
	silent     func() bool           // whether nobody is to be woken; nil: wake them
	born       time.Time             // see Inbox
	tracer     trace.Tracer          // nil: none

	position events.Position // the checkpoint
	ids      ids
	clock    inbox.Clock
	resumed  bool // ids and clock are those of the checkpoint
	batches  int
}

// maxPlanned is how many batches one set of plans serves.
const maxPlanned = 1024

// replan says whether plans are due to be made anew: they were made for tables as
// large as these were then, which while they are small changes with every batch.
func (w *writer) replan() bool {
	n := w.batches
	return n > 0 && (n&(n-1) == 0 || n%maxPlanned == 0)
}

// apply applies a span in as few transactions as it fits. Events that cannot be
// applied are found by halving: everything before the first of them is applied,
// and the error is an *unappliable.
func (w *writer) apply(ctx context.Context, s span) error {
	for {
		n, err := w.transact(ctx, s)
		switch {
		case err == nil && n == len(s.events):
			return nil
		case err == nil:
			s.events = s.events[n:]
		case !lasts(ctx, w.conn, err) || len(s.events) == 0:
			return err
		case len(s.events) == 1:
			e := s.events[0]
			return &unappliable{at: e.Position, event: &named{e.Event.Type(), e.Stream, e.Revision, e.Metadata.CommandID}, since: e.At, err: err}
		default:
			half := len(s.events) / 2
			if err := w.apply(ctx, span{events: s.events[:half], through: s.events[half-1].Position}); err != nil {
				return err
			}
			s.events = s.events[half:]
		}
	}
}

// transact applies as many of the events as one transaction should hold, and
// returns how many. It is all or nothing, and nothing when another runner has
// moved the checkpoint meanwhile.
func (w *writer) transact(ctx context.Context, s span) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, applyTimeout)
	defer cancel()
	began := time.Now()
	defer func() {
		if err != nil {
			err = errors.Join(err, w.rollback(ctx))
		}
	}()
	known, err := w.begin(ctx, mentionsOf(s.events))
	if err != nil {
		return 0, fmt.Errorf("begin a batch after %s: %w", w.position, err)
	}
	f := newFold(w.storeLimit, known)
	if n, err = f.all(s.events); err != nil {
		return 0, err
	}
	to := s.through
	if n < len(s.events) {
		to = s.events[n-1].Position
	}
	if err := w.commit(ctx, f, to); err != nil {
		return 0, fmt.Errorf("write the batch after %s up to %s: %w", w.position, to, err)
	}
	w.position, w.ids, w.clock = to, f.ids, f.clock
	w.batches++
	w.metrics.batchEvents.Observe(float64(n))
	w.metrics.batchDuration.Observe(time.Since(began).Seconds())
	w.witness(s.events[:n], began)
	w.applied(to)
	return n, nil
}

// begin opens the transaction, takes the checkpoint's row, and reads what the
// tables know of what the batch speaks about.
func (w *writer) begin(ctx context.Context, m mentions) (known, error) {
	k := newKnown()
	k.ids, k.clock = w.ids, w.clock
	var b pgx.Batch
	b.Queue("begin")
	b.Queue(sqlCheckpointLock, inboxName).QueryRow(w.fence)
	if w.replan() {
		b.Queue("discard plans")
	}
	if !w.resumed {
		k.askWriter(&b)
	}
	k.ask(&b, m)
	if err := w.conn.SendBatch(ctx, &b).Close(); err != nil {
		return k, err
	}
	w.ids, w.clock, w.resumed = k.ids, k.clock, true
	return k, nil
}

// ask reads in the order in which one answer needs another.
func (k *known) ask(b *pgx.Batch, m mentions) {
	if len(m.users) > 0 {
		k.askUsers(b, m)
	}
	if len(m.topics) > 0 {
		k.askTopics(b, m)
	}
	if len(m.notifications) > 0 {
		k.askNotifications(b, m)
	}
	if len(m.audiences) > 0 {
		k.askAudiences(b, m)
	}
	if len(m.pairs) > 0 {
		k.askPeriods(b, m)
	}
	if len(m.preferring) > 0 {
		k.askMuted(b, m)
	}
	if len(m.begun) > 0 {
		k.askMutes(b, m)
	}
}

// commit writes the rows, moves the checkpoint, and wakes who waits for it.
func (w *writer) commit(ctx context.Context, f *fold, to events.Position) error {
	var b pgx.Batch
	f.rows.queue(&b)
	b.Queue(sqlCheckpointMove, inboxName, int64(w.position), int64(to), latest(f.clock), f.clock.Events).Exec(func(tag pgconn.CommandTag) error { //nolint:gosec // at most MaxPosition
		if tag.RowsAffected() != 1 {
			return errFenced // cannot be while we hold the row
		}
		return nil
	})
	if w.silent == nil || !w.silent() {
		b.Queue(sqlWake, to.String())
	}
	b.Queue("commit")
	return w.conn.SendBatch(ctx, &b).Close()
}

// rollback ends a transaction that failed, unless the connection has ended it.
func (w *writer) rollback(ctx context.Context) error {
	if w.conn.IsClosed() || w.conn.PgConn().TxStatus() == 'I' {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepTimeout)
	defer cancel()
	if _, err := w.conn.Exec(ctx, "rollback"); err != nil {
		return errors.Join(fmt.Errorf("roll back: %w", err), w.conn.Close(ctx))
	}
	return nil
}
