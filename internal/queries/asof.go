package queries

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidings-io/tidings/internal/events"
)

// AsOf is what an answer is of: a position, or a time, which means the position
// before the first event recorded later. The zero value is now. The answer is what
// the same query would have given then: who was a member, what was read, retracted,
// expired or no longer kept. A position is judged at the highest time recorded up
// to it.
type AsOf struct {
	Position events.Position
	Time     time.Time // when not zero, Position counts for nothing
}

// Log is the log as answers of the past need it.
type Log interface {
	// ReadAll yields what the filter picks after a position, oldest first, up to the
	// head at the time of the call. An error is the last thing it yields.
	ReadAll(ctx context.Context, after events.Position, f events.Filter) iter.Seq2[events.Stored, error]
	// Head is the position of the log's last event.
	Head(ctx context.Context) (events.Position, error)
}

// errNoLog is for Queries that were made without a log and would need it.
var errNoLog = errors.New("there is no log to read")

// moment is an AsOf with both of its sides: nothing above the position was recorded
// by the time.
type moment struct {
	position events.Position
	at       time.Time
}

// tick is a row of the clock.
type tick struct {
	position events.Position
	at       time.Time
	events   int64
}

// ticks are what the tables know of the time around an AsOf. before or after is nil
// where there is none.
type ticks struct {
	head          head
	before, after *tick
}

// alone says that no event lies between the two ticks, or between the last tick and
// the checkpoint.
func (t *ticks) alone() bool {
	if t.before == nil {
		return true // the clock ticks at the first event
	}
	if t.after == nil {
		return t.head.events == t.before.events
	}
	return t.after.events == t.before.events+1
}

// moment finds out what an AsOf means, and waits until the read model has come that
// far.
func (q *Queries) moment(ctx context.Context, of AsOf) (moment, error) {
	if of.Time.IsZero() {
		return q.momentOf(ctx, of.Position)
	}
	return q.momentAt(ctx, of.Time)
}

// momentOf finds the highest time recorded up to a position.
func (q *Queries) momentOf(ctx context.Context, position events.Position) (moment, error) {
	t, err := q.ticks(ctx, clockBeforeSQL, uint64(position))
	if err == nil && t.head.position < position {
		if err = q.reach(ctx, position); err == nil {
			t, err = q.ticks(ctx, clockBeforeSQL, uint64(position))
		}
	}
	if err != nil || t.before == nil {
		return moment{position: position}, err
	}
	m := moment{position, t.before.at}
	if position == t.before.position || t.alone() {
		return m, nil
	}
	err = q.stretch(ctx, t.before.position, func(e events.Stored) bool {
		if e.Position > position {
			return false
		}
		if e.At.After(m.at) {
			m.at = e.At
		}
		return e.Position < position
	})
	return m, err
}

// momentAt finds the last event before the first that was recorded later.
func (q *Queries) momentAt(ctx context.Context, at time.Time) (moment, error) {
	if at.After(q.now()) {
		return moment{}, ErrAhead
	}
	t, err := q.ticks(ctx, clockAroundSQL, at)
	if err != nil {
		return moment{}, err
	}
	m := moment{at: at}
	if t.before != nil {
		m.position = t.before.position
	}
	if t.after != nil && t.alone() {
		return m, nil
	}
	err = q.stretch(ctx, m.position, func(e events.Stored) bool {
		if e.At.After(at) {
			return false
		}
		m.position = e.Position
		return true
	})
	if err != nil {
		return moment{}, err
	}
	if m.position > t.head.position {
		err = q.reach(ctx, m.position)
	}
	return m, err
}

// reach returns once the read model has passed a position of the log.
func (q *Queries) reach(ctx context.Context, position events.Position) error {
	if q.log != nil {
		head, err := q.log.Head(ctx)
		if err != nil {
			return err
		}
		if position > head {
			return fmt.Errorf("%w: the log ends at %s", ErrAhead, head)
		}
	}
	limited, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	return q.WaitFor(limited, position)
}

// stretch reads the log after a position for as long as each says so. What a tick
// is followed by is no more than the clock passes over, or what is not yet in the
// tables.
func (q *Queries) stretch(ctx context.Context, after events.Position, each func(events.Stored) bool) error {
	if q.log == nil {
		return errNoLog
	}
	limited, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	for e, err := range q.log.ReadAll(limited, after, events.Filter{}) {
		if err != nil {
			return err
		}
		e.At = e.At.Truncate(time.Microsecond) // what the tables keep
		if !each(e) {
			return nil
		}
	}
	return nil
}

var (
	headSQL        = statement("past_head")
	clockBeforeSQL = statement("clock_before")
	clockAroundSQL = statement("clock_around")
)

// ticks asks for the two ticks around something, the earlier one first.
func (q *Queries) ticks(ctx context.Context, sql string, around any) (t ticks, err error) {
	limited, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	b := new(pgx.Batch)
	b.Queue(headSQL).QueryRow(t.head.scan)
	b.Queue(sql, around).Query(func(rows pgx.Rows) error {
		_, err := scan(rows, nil, t.add)
		return err
	})
	err = q.pool.SendBatch(limited, b).Close() // rows of the clock never change: no snapshot is needed
	return t, fault(ctx, "read the clock", err)
}

func (t *ticks) add(r row) error {
	var (
		next  tick
		later bool
	)
	err := r(&next.position, &next.at, &next.events, &later)
	if later {
		t.after = &next
	} else {
		t.before = &next
	}
	return err
}
