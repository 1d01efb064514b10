package storetest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/tidings-io/tidings/internal/events"
)

// testHandOver starts readers at random moments while others write: each sees
// every event after its start once and in order, whichever moment it had.
func testHandOver(t *testing.T, store Store) {
	const writers, each, readers = 4, 60, 6
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	s := newStage(t, store)
	start := s.began
	s.append(s.stream("first"), events.NoStream(), "a")

	written := newProgress()
	var running sync.WaitGroup
	for writer := range writers {
		running.Go(func() {
			for n := range each {
				expected := events.Any()
				if n == 0 {
					expected = events.NoStream()
				}
				name := fmt.Sprintf("%d.%d", writer, n)
				if _, err := s.Append(s.ctx, s.stream(fmt.Sprint(writer)), expected, s.event(name)); err != nil {
					t.Errorf("append %s: %v", name, err)
				}
				written.add()
			}
		})
	}
	results := make([]*reading, readers)
	starts := make([]events.Position, readers)
	for reader := range readers {
		moment, from := random.IntN(writers*each), reader%3
		running.Go(func() {
			written.wait(moment)
			var err error
			if starts[reader], err = s.place(from, start); err == nil {
				results[reader], err = s.all(starts[reader], writers*each+1)
			}
			if err != nil {
				t.Errorf("reader %d: %v", reader, err)
			}
		})
	}
	running.Wait()
	everything := s.mine(start)
	equal(t, "events in the log", len(everything), writers*each+1)
	for reader, got := range results {
		if got == nil {
			continue // its own goroutine has said why
		}
		n := 0
		for n < len(everything) && everything[n].Position <= starts[reader] {
			n++
		}
		equal(t, fmt.Sprintf("reader %d", reader), got.mine, everything[n:])
	}
}

// place is where a reader starts: before everything, at the head, or amid what
// has been written.
func (s stage) place(from int, start events.Position) (events.Position, error) {
	switch from {
	case 0:
		return start, nil
	case 1:
		return s.Head(s.ctx)
	}
	var mine []events.Position
	for e, err := range s.ReadAll(s.ctx, start, events.Filter{Category: s.category}) {
		if err != nil {
			return 0, fmt.Errorf("read the log: %w", err)
		}
		mine = append(mine, e.Position)
	}
	return mine[len(mine)/2], nil
}

// all follows until, together with what lies before its start, n events have
// been seen and the subscription is live.
func (s stage) all(after events.Position, n int) (*reading, error) {
	before := 0
	for e, err := range s.ReadAll(s.ctx, s.began, events.Filter{Category: s.category}) {
		if err != nil {
			return nil, fmt.Errorf("read the log: %w", err)
		}
		if e.Position <= after {
			before++
		}
	}
	r := &reading{stage: s, through: after}
	for m, err := range s.Subscribe(s.ctx, after) {
		if err != nil {
			return nil, fmt.Errorf("follow from %s: %d of %d events, then: %w", after, before+len(r.mine), n, err)
		}
		if err := r.take(m); err != nil {
			return nil, fmt.Errorf("follow from %s: %w", after, err)
		}
		if before+len(r.mine) >= n && r.caughtUp {
			return r, nil
		}
	}
	return nil, fmt.Errorf("follow from %s: ended without an error", after)
}

// progress counts, and lets others wait for a count.
type progress struct {
	mu    sync.Mutex
	count int
	moved *sync.Cond
}

func newProgress() *progress {
	p := &progress{}
	p.moved = sync.NewCond(&p.mu)
	return p
}

func (p *progress) add() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
	p.moved.Broadcast()
}

func (p *progress) wait(count int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.count < count {
		p.moved.Wait()
	}
}
