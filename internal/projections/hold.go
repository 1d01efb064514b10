package projections

import (
	"context"
	"sync"

	"github.com/tidings-io/tidings/internal/events"
)

// hold bounds how far a version may fold for now. The zero value bounds nothing.
type hold struct {
	mu      sync.Mutex
	limit   events.Position // 0: none
	changed chan struct{}   // closed with the next change of limit
}

// at has folding stop at a position, if it has not passed it; 0 lets it go on.
func (h *hold) at(limit events.Position) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.limit = limit
	if h.changed != nil {
		close(h.changed)
	}
	h.changed = make(chan struct{})
}

// now is how far folding may go, and what closes when that changes.
func (h *hold) now() (limit events.Position, changed <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.changed == nil {
		h.changed = make(chan struct{})
	}
	if h.limit == 0 {
		return events.MaxPosition, h.changed
	}
	return h.limit, h.changed
}

// cut parts a stretch of the log at a position that lies within it.
func (s span) cut(at events.Position) (before, after span) {
	n := 0
	for n < len(s.events) && s.events[n].Position <= at {
		n++
	}
	return span{events: s.events[:n], through: at}, span{events: s.events[n:], through: s.through, caughtUp: s.caughtUp}
}

// wait lets a stretch of the log pass once it may be folded to its end; what may
// be folded before that is.
func (p *Inbox) wait(ctx context.Context, w *writer, s span) (span, error) {
	for {
		limit, changed := p.held.now()
		if s.through <= limit {
			return s, nil
		}
		if limit > w.position {
			var now span
			now, s = s.cut(limit)
			if err := w.apply(ctx, now); err != nil {
				return s, err
			}
			p.folded.Add(int64(len(now.events)))
		}
		if err := p.sit(ctx, w, changed); err != nil {
			return s, err
		}
	}
}

// sit waits for a change, and sees meanwhile whether the connection is alive.
func (p *Inbox) sit(ctx context.Context, w *writer, changed <-chan struct{}) error {
	for {
		woken, cancel := context.WithTimeout(ctx, idleEvery)
		select {
		case <-changed:
			cancel()
			return nil
		case <-woken.Done():
			cancel()
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := alive(ctx, w.conn); err != nil {
			return err
		}
	}
}
