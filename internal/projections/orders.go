package projections

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/tidings-io/tidings/internal/events"
)

// Orders is where operators' orders are read.
type Orders interface {
	// Read yields a stream's events from a revision on; nothing for a stream that
	// does not exist. An error is the last thing it yields.
	Read(ctx context.Context, stream events.StreamName, from events.Revision) iter.Seq2[events.Stored, error]
}

// orders is what was ordered so far, as commands.Projection has it: deciding and
// projecting are on one level and do not see each other.
type orders struct {
	next    events.Revision // the first not read
	newest  int
	target  int
	paused  bool
	dropped map[int]bool

	mu      sync.RWMutex
	skipped map[events.Position]bool // also asked by those who fold
}

func newOrders() *orders {
	return &orders{newest: 1, target: 1, dropped: map[int]bool{}, skipped: map[events.Position]bool{}}
}

// read takes what was ordered since the last time.
func (o *orders) read(ctx context.Context, from Orders) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	stream := events.ProjectionStream(inboxName)
	for stored, err := range from.Read(ctx, stream, o.next) {
		if err != nil {
			return fmt.Errorf("read the orders in %s: %w", stream, err)
		}
		r, err := events.Decode(stored)
		if err != nil {
			return fmt.Errorf("read the orders in %s: %w", stream, err)
		}
		o.fold(r.Event)
		o.next = stored.Revision + 1
	}
	return nil
}

func (o *orders) fold(e events.Event) {
	switch e := e.(type) {
	case events.RebuildOrdered:
		o.newest = e.Version
		if !e.Held {
			o.target = e.Version
		}
	case events.VersionActivated:
		o.target = e.Version
	case events.VersionDropped:
		o.dropped[e.Version] = true
	case events.ProjectionPaused:
		o.paused = true
	case events.ProjectionResumed:
		o.paused = false
	case events.EventSkipped:
		o.mu.Lock()
		defer o.mu.Unlock()
		o.skipped[e.Position] = true
	}
}

// skips may be called from anywhere.
func (o *orders) skips(at events.Position) bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.skipped[at]
}
