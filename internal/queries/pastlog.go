package queries

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
)

// maxFold bounds reading the log for one answer, where the caller's deadline is no
// earlier.
const maxFold = 30 * time.Second

// projectionName is whose skipped events are passed over: the tables hold nothing of
// them either.
const projectionName = "inbox"

// fromLog folds the user's inbox from the log up to the moment.
func (p *past) fromLog(ctx context.Context, answer func(context.Context, *past) error) error {
	limited, cancel := context.WithTimeout(ctx, maxFold)
	defer cancel()
	p.book = inbox.NewBook(p.user)
	err := p.fold(limited)
	if errors.Is(limited.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w: come as far as %s of %s", ErrTooFar, p.book.Position(), p.moment.position)
	}
	if err != nil {
		return err
	}
	return answer(ctx, p)
}

func (p *past) fold(ctx context.Context) error {
	if p.q.log == nil {
		return errNoLog
	}
	skipped, err := p.skipped(ctx)
	if err != nil {
		return err
	}
	for stored, err := range p.q.log.ReadAll(ctx, 0, events.Filter{}) {
		if err != nil {
			return err
		}
		if stored.Position > p.moment.position {
			return nil
		}
		if skipped[stored.Position] {
			continue
		}
		r, err := events.Decode(stored)
		if err != nil {
			return fmt.Errorf("fold the event at %s: %w", stored.Position, err)
		}
		p.book.Apply(r)
	}
	return nil
}

// skipped are the events that operators had the projection pass over.
func (p *past) skipped(ctx context.Context) (map[events.Position]bool, error) {
	skipped := map[events.Position]bool{}
	orders := events.Filter{Stream: events.ProjectionStream(projectionName)}
	for stored, err := range p.q.log.ReadAll(ctx, 0, orders) {
		if err != nil {
			return nil, err
		}
		r, err := events.Decode(stored)
		if err != nil {
			return nil, fmt.Errorf("read the order at %s: %w", stored.Position, err)
		}
		if skip, ok := r.Event.(events.EventSkipped); ok {
			skipped[skip.Position] = true
		}
	}
	return skipped, nil
}
