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
	// rowPatience is ample for a batch that is being written.
	rowPatience = 5 * time.Second
	// overtakePatience is how long the version that serves may be kept from folding
	// while the other comes up to it.
	overtakePatience = 2 * time.Second
	// readersPatience is how long readers may queue behind the change of a view that
	// itself waits for readers.
	readersPatience = 50 * time.Millisecond
)

// errNotNow says that a switch must wait; it is tried again.
var errNotNow = errors.New("not now")

// replace has readers served by the version that is wanted, once that has all that
// they have seen.
func (l *leader) replace(ctx context.Context) error {
	from, to := l.serving(), l.versions[l.orders.target]
	if l.orders.paused || from == nil || to == nil || to.serving || !to.current() || l.awaitsReport(to) {
		return nil
	}
	switch from.status().State {
	case StateRunning, StateHalted:
	default:
		return nil // another process may still be folding it
	}
	err := l.switchover(ctx, from, to)
	if err == nil {
		l.logger.Info("another version serves", "version", to.number, "before", from.number)
		from.serving, to.serving, to.served = false, true, true
		return nil
	}
	if errors.Is(err, errNotNow) || passing(err) {
		to.reason = "the switch waits: " + err.Error()
		l.logger.Debug("the switch waits", "version", to.number, "error", err)
		return nil
	}
	return fmt.Errorf("switch to version %d: %w", to.number, err)
}

// passing says whether others were in the way: lock timeouts and deadlocks.
func passing(err error) bool {
	refused, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (refused.Code == "55P03" || refused.Code == "40P01")
}

func (l *leader) switchover(ctx context.Context, from, to *version) error {
	// Who waits for a position may be woken only by the version they will read.
	from.run.inbox.silent.Store(true)
	err := l.transact(ctx, func(ctx context.Context) error {
		if err := l.patience(ctx, rowPatience); err != nil {
			return err
		}
		if err := l.overtake(ctx, from, to); err != nil {
			return err
		}
		if err := l.lookAt(ctx, l.base); err != nil {
			return err
		}
		if err := l.patience(ctx, readersPatience); err != nil {
			return err
		}
		l.reached("switching")
		return l.expose(ctx, to)
	})
	if err != nil {
		from.run.inbox.silent.Store(false)
		return err
	}
	to.reason = ""
	to.run.inbox.silent.Store(false)
	return nil
}

// lookAt has names without a schema mean a schema's tables, until the transaction ends.
func (l *leader) lookAt(ctx context.Context, schema string) error {
	if err := exec(ctx, l.conn, sqlVersionsPath, pgx.Identifier{schema}.Sanitize()); err != nil {
		return fmt.Errorf("look at the schema %s: %w", schema, err)
	}
	return nil
}

// overtake locks both checkpoints such that the new one is not below the old one:
// the old one stands still while the new one comes up to it.
func (l *leader) overtake(ctx context.Context, from, to *version) error {
	store, old, err := l.lockCheckpoint(ctx, from.schema)
	if err != nil {
		return err
	}
	deadline := time.Now().Add(overtakePatience)
	if err := l.lookAt(ctx, to.schema); err != nil {
		return err
	}
	for {
		of, at, err := checkpoint(ctx, l.conn)
		if err != nil {
			return err
		}
		if at >= old || of != store || astray(from) {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w: version %d is at %s, version %d at %s", errNotNow, to.number, at, from.number, old)
		}
		if !sleep(ctx, overtakeEvery) {
			return ctx.Err()
		}
	}
	_, _, err = l.lockCheckpoint(ctx, to.schema)
	return err
}

const overtakeEvery = 2 * time.Millisecond

// astray says whether a version's positions mean nothing in this log: it is a fold
// of another one, or of events that were lost.
func astray(v *version) bool {
	s := v.status()
	return s.State == StateHalted && s.Halted == 0
}

func (l *leader) lockCheckpoint(ctx context.Context, schema string) (store uuid.UUID, at events.Position, err error) {
	if err := l.lookAt(ctx, schema); err != nil {
		return store, 0, err
	}
	var position int64
	if err = one(ctx, l.conn, sqlCheckpointLock, []any{inboxName}, &position); err != nil {
		return store, 0, fmt.Errorf("lock the checkpoint in %s: %w", schema, err)
	}
	return checkpoint(ctx, l.conn)
}
