package projections

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/tidings-io/tidings/internal/events"
)

// resume finds the checkpoint, or begins one, and judges whether it belongs to
// this log.
func (p *Inbox) resume(ctx context.Context, w *writer) error {
	var store uuid.UUID
	var head events.Position
	if err := whileAlive(ctx, w.conn, func(ctx context.Context) (err error) {
		store, head, err = p.askStore(ctx)
		return err
	}); err != nil {
		return err
	}
	if err := exec(ctx, w.conn, sqlCheckpointBegin, inboxName, store); err != nil {
		return fmt.Errorf("begin the checkpoint: %w", err)
	}
	of, position, err := checkpoint(ctx, w.conn)
	if err != nil {
		return err
	}
	w.position = position
	p.reached(position)
	p.lag.heard(head)
	switch {
	case of != store:
		return &unappliable{at: position, err: fmt.Errorf(
			"the tables are a fold of the store %s, and this is the store %s: rebuild them, or connect to their store", of, store)}
	case position > head:
		return &unappliable{at: position, err: fmt.Errorf(
			"the tables are ahead of the store, whose last event is at %s: it has lost events, or is another", head)}
	}
	if err := exec(ctx, w.conn, sqlCheckpointResume, inboxName); err != nil {
		return fmt.Errorf("resume at the checkpoint: %w", err)
	}
	return nil
}

func (p *Inbox) askStore(ctx context.Context) (store uuid.UUID, head events.Position, err error) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	if store, err = p.StoreID(ctx); err != nil {
		return store, 0, &storeAway{fmt.Errorf("ask the store for its name: %w", err)}
	}
	if head, err = p.Source.Head(ctx); err != nil {
		return store, 0, &storeAway{fmt.Errorf("ask the store for its head: %w", err)}
	}
	return store, head, nil
}

func checkpoint(ctx context.Context, conn *pgx.Conn) (store uuid.UUID, at events.Position, err error) {
	var position int64
	if err = one(ctx, conn, sqlCheckpointRead, []any{inboxName}, &store, &position); err != nil {
		return store, 0, fmt.Errorf("read the checkpoint: %w", err)
	}
	return store, events.Position(position), nil //nolint:gosec // never negative
}

// seeCheckpoint notes how far the runner we stand by for has come.
func (p *Inbox) seeCheckpoint(ctx context.Context, conn *pgx.Conn) error {
	_, position, err := checkpoint(ctx, conn)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // it is just beginning
	}
	if err == nil {
		p.reached(position)
	}
	return err
}
