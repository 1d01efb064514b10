package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tidings-io/tidings/internal/events"
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

	position events.Position // the checkpoint
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
			return &unappliable{at: e.Position, event: described(e.Event.Type(), e.Stream), err: err}
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
	if err := w.name(ctx, &f.rows); err != nil {
		return 0, fmt.Errorf("name users and topics of the batch after %s: %w", w.position, err)
	}
	to := s.through
	if n < len(s.events) {
		to = s.events[n-1].Position
	}
	if err := w.commit(ctx, &f.rows, to); err != nil {
		return 0, fmt.Errorf("write the batch after %s up to %s: %w", w.position, to, err)
	}
	w.position = to
	w.metrics.batchEvents.Observe(float64(n))
	w.metrics.batchDuration.Observe(time.Since(began).Seconds())
	w.applied(to)
	return n, nil
}

// begin opens the transaction, takes the checkpoint's row, and reads what the
// tables know of what the batch speaks about.
func (w *writer) begin(ctx context.Context, m mentions) (known, error) {
	k := newKnown()
	var b pgx.Batch
	b.Queue("begin")
	b.Queue(sqlCheckpointLock, inboxName).QueryRow(func(row pgx.Row) error {
		var position int64
		err := row.Scan(&position)
		if errors.Is(err, pgx.ErrNoRows) || err == nil && events.Position(position) != w.position { //nolint:gosec // never negative
			return errFenced
		}
		return err
	})
	if len(m.users) > 0 {
		k.askUsers(&b, m)
	}
	if len(m.topics) > 0 {
		k.askTopics(&b, m)
	}
	if len(m.notifications) > 0 {
		k.askNotifications(&b, m)
	}
	if len(m.pairs) > 0 {
		k.askPeriods(&b, m)
	}
	return k, w.conn.SendBatch(ctx, &b).Close()
}

// name gives new users and topics their ids.
func (w *writer) name(ctx context.Context, r *rows) error {
	var b pgx.Batch
	if len(r.newUsers) > 0 {
		users := make(map[string]*user, len(r.newUsers))
		for _, u := range r.newUsers {
			users[u.name] = u
		}
		b.Queue(sqlUsersAdd, column(r.newUsers, func(u *user) string { return u.name })).Query(each(func(row pgx.Rows) error {
			name, id, err := nameAndID(row)
			if err == nil {
				users[name].id = id
			}
			return err
		}))
	}
	if len(r.newTopics) > 0 {
		topics := make(map[string]*topic, len(r.newTopics))
		for _, t := range r.newTopics {
			topics[t.name] = t
		}
		b.Queue(sqlTopicsAdd, column(r.newTopics, func(t *topic) string { return t.name })).Query(each(func(row pgx.Rows) error {
			name, id, err := nameAndID(row)
			if err == nil {
				topics[name].id = id
			}
			return err
		}))
	}
	if b.Len() == 0 {
		return nil
	}
	return w.conn.SendBatch(ctx, &b).Close()
}

func nameAndID(row pgx.Rows) (name string, id int64, err error) {
	err = row.Scan(&name, &id)
	return name, id, err
}

// commit writes the rows, moves the checkpoint, and wakes who waits for it.
func (w *writer) commit(ctx context.Context, r *rows, to events.Position) error {
	var b pgx.Batch
	r.queue(&b)
	b.Queue(sqlCheckpointMove, inboxName, int64(w.position), int64(to)).Exec(func(tag pgconn.CommandTag) error { //nolint:gosec // at most MaxPosition
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

func (k *known) askUsers(b *pgx.Batch, m mentions) {
	b.Queue(sqlUsersKnown, list(m.users)).Query(each(func(row pgx.Rows) error {
		u := new(user)
		err := row.Scan(&u.name, &u.id)
		k.users[events.User(u.name)] = u
		return err
	}))
}

func (k *known) askTopics(b *pgx.Batch, m mentions) {
	b.Queue(sqlTopicsKnown, list(m.topics)).Query(each(func(row pgx.Rows) error {
		t := new(topic)
		err := row.Scan(&t.name, &t.id, &t.subscribers)
		k.topics[events.Topic(t.name)] = t
		return err
	}))
}

func (k *known) askNotifications(b *pgx.Batch, m mentions) {
	ids := make([]uuid.UUID, 0, len(m.notifications))
	for id := range m.notifications {
		ids = append(ids, id)
	}
	b.Queue(sqlNotificationsKnown, ids).Query(each(func(row pgx.Rows) error {
		var (
			id uuid.UUID
			n  notification
		)
		err := row.Scan(&id, &n.position, &n.retracted)
		k.notifications[id] = &n
		return err
	}))
}

// askPeriods must come after askUsers and askTopics.
func (k *known) askPeriods(b *pgx.Batch, m mentions) {
	topics, users := make([]string, 0, len(m.pairs)), make([]string, 0, len(m.pairs))
	for p := range m.pairs {
		topics, users = append(topics, string(p.topic)), append(users, string(p.user))
	}
	b.Queue(sqlPeriodsKnown, topics, users).Query(each(func(row pgx.Rows) error {
		var (
			of pair
			p  = period{until: forever, stored: true}
		)
		err := row.Scan(&of.topic, &of.user, &p.from, &p.since, &p.minSeverity)
		p.topic, p.user = k.topics[of.topic], k.users[of.user]
		k.open[of] = &p
		return err
	}))
}

func list[T ~string](s set[T]) []string {
	all := make([]string, 0, len(s))
	for t := range s {
		all = append(all, string(t))
	}
	return all
}

// each reads all rows of an answer.
func each(read func(pgx.Rows) error) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		for rows.Next() {
			if err := read(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	}
}
