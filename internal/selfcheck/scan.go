package selfcheck

import (
	"context"
	"fmt"
	"time"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
)

// scan is one reading of the log into the books of a round.
type scan struct {
	log     Log
	pace    int // events a second
	leads   func() bool
	shelf   *inbox.Shelf
	through events.Position          // everything up to here was folded
	skipped map[events.Position]bool // what operators had passed over
}

// to folds everything up to a position, and nothing above it. Whatever was skipped
// of that is known by then: the order to skip comes before the tables go on.
func (s *scan) to(ctx context.Context, target events.Position) error {
	if target < s.through {
		return fmt.Errorf("the tables are at %s, and were at %s before", target, s.through)
	}
	if err := s.readSkipped(ctx); err != nil {
		return err
	}
	for s.through < target {
		began := time.Now()
		if !s.leads() {
			return errNotLeading
		}
		if err := s.stretch(ctx, target); err != nil {
			return err
		}
		if s.through < target && !sleep(ctx, time.Until(began.Add(time.Second))) {
			return ctx.Err()
		}
	}
	return nil
}

// stretch folds as many events as a second allows, in one read: the store need not
// hold one open for as long as the whole log takes.
func (s *scan) stretch(ctx context.Context, target events.Position) error {
	n := 0
	for stored, err := range s.log.ReadAll(ctx, s.through, events.Filter{}) {
		switch {
		case err != nil:
			return fmt.Errorf("read the log after %s: %w", s.through, err)
		case stored.Position > target:
			s.through = target
			return nil
		}
		if err := s.fold(stored); err != nil {
			return err
		}
		s.through = stored.Position
		if n++; n == s.pace {
			return nil
		}
	}
	s.through = target
	return nil
}

func (s *scan) fold(stored events.Stored) error {
	if s.skipped[stored.Position] {
		return nil
	}
	r, err := events.Decode(stored)
	if err == nil {
		s.shelf.Apply(r)
	}
	return err
}

func (s *scan) readSkipped(ctx context.Context) error {
	s.skipped = map[events.Position]bool{}
	orders := events.Filter{Stream: events.ProjectionStream("inbox"), Type: "EventSkipped"}
	for stored, err := range s.log.ReadAll(ctx, 0, orders) {
		if err != nil {
			return fmt.Errorf("read what was skipped: %w", err)
		}
		r, err := events.Decode(stored)
		if err != nil {
			return err
		}
		if e, ok := r.Event.(events.EventSkipped); ok {
			s.skipped[e.Position] = true
		}
	}
	return nil
}
