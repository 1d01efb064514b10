package projections

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/pulse"
)

// span is a stretch of the log: its events, and how far it reaches, which may be
// past the last of them.
type span struct {
	events   []events.Recorded
	through  events.Position
	caughtUp bool // history ended in here
}

// feed reads and decodes ahead while a batch is applied. It holds at most one
// batch; when that is full the reader waits, and with it the store.
type feed struct {
	maxEvents int
	maxBytes  int
	skips     func(events.Position) bool            // passes over these; nil: none
	transform func(events.Recorded) events.Recorded // see Inbox; nil: none
	pulse     *pulse.Pulse                          // of who fills it; nil: nobody's

	filled chan struct{} // something is there to take
	roomy  chan struct{} // something was taken

	mu       sync.Mutex
	gathered span
	bytes    int
	sweeps   int
	blocked  bool  // the reader waits for room
	err      error // why no more will come
}

// maxSweeps bounds how many "everything through here" one batch holds: each may
// touch a whole inbox.
const maxSweeps = 256

func newFeed(maxEvents, maxBytes int) *feed {
	return &feed{
		maxEvents: maxEvents, maxBytes: maxBytes,
		filled: make(chan struct{}, 1), roomy: make(chan struct{}, 1),
	}
}

// fill reads the log until ctx ends, the source gives up, or an event comes that
// cannot be decoded; take answers that error after everything before it.
func (f *feed) fill(ctx context.Context, source Source, after events.Position) {
	err := f.read(ctx, source, after)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
	signal(f.filled)
}

func (f *feed) read(ctx context.Context, source Source, after events.Position) error {
	defer f.pulse.Rest()
	for m, err := range source.Subscribe(ctx, after) {
		f.pulse.Beat()
		switch {
		case err != nil:
			return &storeAway{fmt.Errorf("read the log after %s: %w", after, err)}
		case m.Event != nil:
			if m.Event.Position <= after {
				return &storeAway{fmt.Errorf("read the log after %s: it went back to %s", after, m.Event.Position)}
			}
			after = m.Event.Position
			err = f.event(ctx, *m.Event)
		case m.CaughtUp:
			f.caughtUp()
		case m.Checkpoint > after && m.Checkpoint <= events.MaxPosition:
			after = m.Checkpoint
			f.checkpoint(after)
		}
		if err != nil {
			return err
		}
		f.pulse.Rest() // for as long as nothing comes
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return &storeAway{errors.New("the subscription to the log ended")}
}

func (f *feed) event(ctx context.Context, s events.Stored) error {
	if s.Position > events.MaxPosition {
		return &unappliable{at: events.MaxPosition, err: fmt.Errorf("position %s is out of bounds", s.Position)}
	}
	if f.skips != nil && f.skips(s.Position) {
		f.checkpoint(s.Position)
		return nil
	}
	r, err := events.Decode(s)
	if err != nil {
		return &unappliable{at: s.Position, event: &named{kind: s.Type, stream: s.Stream, revision: s.Revision}, since: s.At, err: err}
	}
	if f.transform != nil {
		r = f.transform(r)
	}
	sweeps := 0
	if e, ok := r.Event.(events.InboxEvent); ok && e.On().Through > 0 {
		sweeps = 1
	}
	for !f.add(r, len(s.Data), sweeps) {
		f.pulse.Rest() // who takes has a pulse of their own
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.roomy:
		}
		f.pulse.Beat()
	}
	return nil
}

// add says false when there is no room yet.
func (f *feed) add(r events.Recorded, bytes, sweeps int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	g := &f.gathered
	full := len(g.events) >= f.maxEvents || f.bytes+bytes > f.maxBytes || f.sweeps+sweeps > maxSweeps
	if full && len(g.events) > 0 {
		f.blocked = true
		signal(f.filled)
		return false
	}
	g.events = append(g.events, r)
	g.through = r.Position
	f.bytes += bytes
	f.sweeps += sweeps
	signal(f.filled)
	return true
}

func (f *feed) checkpoint(at events.Position) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gathered.through = at
}

func (f *feed) caughtUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gathered.caughtUp = true
	signal(f.filled)
}

// take waits for events, for at most patience, and returns all that have been
// gathered. The error is why nothing more will come, after all that did.
func (f *feed) take(ctx context.Context, patience time.Duration) (span, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		s, err := f.takeNow()
		if err != nil || len(s.events) > 0 || s.caughtUp || s.through > 0 {
			return s, err
		}
		select {
		case <-ctx.Done():
			return span{}, ctx.Err()
		case <-timer.C:
			return span{}, nil
		case <-f.filled:
		}
	}
}

func (f *feed) takeNow() (span, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.gathered
	if len(s.events) == 0 && f.err != nil {
		return span{}, f.err
	}
	f.gathered, f.bytes, f.sweeps, f.blocked = span{}, 0, 0, false
	signal(f.roomy)
	return s, nil
}

// gather waits until a moment, or until more would not fit.
func (f *feed) gather(ctx context.Context, until time.Time) {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	for !f.full() {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case <-f.filled:
		}
	}
}

// full says whether waiting for more would be of no use.
func (f *feed) full() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.blocked || f.err != nil
}

// oldest is when the first of the events waiting was recorded.
func (f *feed) oldest() (time.Time, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.gathered.events) == 0 {
		return time.Time{}, false
	}
	return f.gathered.events[0].At, true
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
