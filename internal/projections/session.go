package projections

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidings-io/tidings/internal/events"
)

const (
	// standbyEvery is how often a runner standing by asks for the lock.
	standbyEvery = 500 * time.Millisecond
	// idleEvery is how often an idle runner writes down how far it has read, and
	// sees whether its connection is alive.
	idleEvery = time.Second
)

// session is one life of a connection: take the lock on it, apply events through
// it. Lock and rows go through the same one, so a runner that has lost its lock
// cannot write.
func (p *Inbox) session(ctx context.Context, config *pgx.ConnConfig) error {
	conn, err := connect(ctx, config)
	if err != nil {
		return err
	}
	defer disconnect(ctx, conn)
	if err := whileAlive(ctx, conn, func(ctx context.Context) error {
		return migrate(ctx, p.DatabaseURL, p.schema, inboxTables)
	}); err != nil {
		return err
	}
	if err := p.awaitLock(ctx, conn); err != nil {
		return err
	}
	w := &writer{conn: conn, storeLimit: p.StoreLimit, metrics: p.metrics, applied: p.reached, silent: p.silent.Load, born: p.born, tracer: p.Tracer}
	err = p.resume(ctx, w)
	if err == nil {
		err = p.keep(ctx, conn)
	}
	if err == nil {
		err = p.follow(ctx, w)
	}
	if stop, ok := errors.AsType[*unappliable](err); ok {
		return p.halt(ctx, conn, stop)
	}
	return err
}

// awaitLock stands by until this is the one runner.
func (p *Inbox) awaitLock(ctx context.Context, conn *pgx.Conn) error {
	for {
		var mine bool
		if err := one(ctx, conn, sqlLockTry, []any{inboxName}, &mine); err != nil {
			return fmt.Errorf("ask for the projector's lock: %w", err)
		}
		if mine {
			return nil
		}
		p.enter(StateStandby, "another projector holds the lock")
		if err := p.seeCheckpoint(ctx, conn); err != nil {
			return err
		}
		if !sleep(ctx, jittered(standbyEvery)) {
			return ctx.Err()
		}
	}
}

// follow applies what the source yields.
func (p *Inbox) follow(ctx context.Context, w *writer) error {
	ctx, cancel := context.WithCancel(ctx)
	feed := newFeed(p.BatchEvents, p.BatchBytes)
	feed.skips, feed.transform = p.skips, p.transform
	feed.pulse = p.Loops.Begin(readName(p.schema))
	defer p.Loops.End(readName(p.schema), feed.pulse)
	var reader sync.WaitGroup
	defer reader.Wait()
	defer cancel()
	reader.Go(func() { feed.fill(ctx, p.Source, w.position) })

	p.enter(StateRunning, "")
	p.logger.Info("the projection runs", "position", w.position)
	idle := idler{through: w.position}
	clean := cleaner{history: p.KeepHistory}
	for {
		s, err := feed.take(ctx, idleEvery)
		if err != nil {
			return err
		}
		began := time.Now()
		idle.through = max(idle.through, s.through)
		if s, err = p.wait(ctx, w, s); err != nil {
			return err
		}
		if len(s.events) == 0 {
			err = idle.step(ctx, w, &p.held)
		} else {
			p.lag.behind(s.events[0].At)
			err = w.apply(ctx, s)
			p.folded.Add(int64(len(s.events)))
		}
		if err != nil {
			return err
		}
		p.lag.applied(w.position, feed, s.caughtUp)
		p.clean(ctx, w, &clean)
		feed.gather(ctx, began.Add(p.BatchDelay))
	}
}

// idler does what is due while there are no events.
type idler struct {
	through events.Position // how far the log has been read
	last    time.Time
}

func (i *idler) step(ctx context.Context, w *writer, h *hold) error {
	if time.Since(i.last) < idleEvery {
		return nil
	}
	i.last = time.Now()
	limit, _ := h.now()
	if through := min(i.through, limit); through > w.position {
		return w.apply(ctx, span{through: through})
	}
	return alive(ctx, w.conn)
}

// one runs a statement that answers one row, within a deadline.
func one(ctx context.Context, conn *pgx.Conn, sql string, args []any, into ...any) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	return conn.QueryRow(ctx, sql, args...).Scan(into...)
}

// exec runs a statement within a deadline.
func exec(ctx context.Context, conn *pgx.Conn, sql string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	_, err := conn.Exec(ctx, sql, args...)
	return err
}

// jittered is about so long, so that not everybody asks at the same moment.
func jittered(d time.Duration) time.Duration {
	return d/2 + rand.N(d) //nolint:gosec // jitter is no secret
}
