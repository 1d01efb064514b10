package queries

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tidings-io/tidings/internal/events"
)

// maxWait bounds a wait whose context has no deadline.
const maxWait = 30 * time.Second

// WaitFor returns once the checkpoint has reached the position. When ctx's
// deadline (or 30 s, where it has none) comes first it answers ErrNotYetProjected,
// or ErrUnavailable when Postgres could not be asked at the last try; when ctx is
// canceled, its error.
//
// All who wait share one look at the checkpoint per interval; a notice that Run
// hears wakes them early.
func (q *Queries) WaitFor(ctx context.Context, position events.Position) error {
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	if err := q.watch.wait(ctx, position); err != nil {
		return fmt.Errorf("wait for position %s: %w", position, err)
	}
	return nil
}

// watch lets any number of callers wait for positions while only one of them, in
// turn, asks for the checkpoint on behalf of all. So it needs no goroutine of its
// own, and nothing runs while nobody waits.
type watch struct {
	every time.Duration
	ask   func(context.Context) (events.Position, error)
	turn  chan struct{} // holds one token: whose turn it is to ask
	early chan struct{} // holds one token: ask again without waiting

	asked time.Time // when it was last done; whoever's turn it is owns this

	mu        sync.Mutex
	waiting   map[*waiter]struct{}
	listening bool            // Run has a connection that hears of every commit
	heard     events.Position // what it knows; 0 while there is none
	failed    error           // of the last ask
}

// waiter is one caller; passed is closed when its position is reached.
type waiter struct {
	position events.Position
	passed   chan struct{}
}

func newWatch(every time.Duration, ask func(context.Context) (events.Position, error)) *watch {
	return &watch{
		every:   every,
		ask:     ask,
		turn:    make(chan struct{}, 1),
		early:   make(chan struct{}, 1),
		waiting: make(map[*waiter]struct{}),
	}
}

// wait is WaitFor without its words.
func (w *watch) wait(ctx context.Context, position events.Position) error {
	me := w.enter(position)
	if me == nil {
		return nil
	}
	defer w.leave(me)
	for {
		select {
		case <-me.passed:
			return nil
		case <-ctx.Done():
			return w.ended(ctx, me)
		case w.turn <- struct{}{}:
			w.lead(ctx, me)
			<-w.turn
		}
	}
}

// enter registers a caller and has the checkpoint looked at soon; nil if its
// position is known to be reached.
func (w *watch) enter(position events.Position) *waiter {
	w.mu.Lock()
	defer w.mu.Unlock()
	if position <= w.heard {
		return nil
	}
	me := &waiter{position: position, passed: make(chan struct{})}
	w.waiting[me] = struct{}{}
	if !w.listening {
		w.wake()
	}
	return me
}

func (w *watch) leave(me *waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.waiting, me)
}

// wake makes the next look an early one.
func (w *watch) wake() {
	select {
	case w.early <- struct{}{}:
	default: // it already is
	}
}

// lead asks for all until the leader itself is done.
func (w *watch) lead(ctx context.Context, me *waiter) {
	for w.pause(ctx, me) {
		w.asked = time.Now()
		at, err := w.ask(ctx)
		if err != nil && ctx.Err() != nil {
			w.wake() // whoever leads next asks at once
			return
		}
		w.learn(at, err)
	}
}

// pause waits until it is time to ask again; false when the leader is done.
func (w *watch) pause(ctx context.Context, me *waiter) bool {
	due := time.NewTimer(time.Until(w.asked.Add(w.every)))
	defer due.Stop()
	select {
	case <-me.passed:
		return false
	case <-ctx.Done():
		return false
	case <-w.early:
		return true
	case <-due.C:
		return true
	}
}

// learn takes the answer to a look.
func (w *watch) learn(at events.Position, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed = err
	if err == nil {
		w.release(at)
	}
}

// hear takes a checkpoint that a listening connection knows of.
func (w *watch) hear(at events.Position) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listening = true
	w.heard = max(w.heard, at)
	w.failed = nil
	w.release(at)
}

// forget is for the end of the listening connection: a server that crashed may
// come back with an older checkpoint.
func (w *watch) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listening = false
	w.heard = 0
	w.wake() // it may have missed the last notice
}

// release lets everybody go whose position is reached. The caller holds mu.
func (w *watch) release(at events.Position) {
	for each := range w.waiting {
		if each.position <= at {
			close(each.passed)
			delete(w.waiting, each)
		}
	}
}

// ended says how a wait went whose context has ended.
func (w *watch) ended(ctx context.Context, me *waiter) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-me.passed: // at the last moment
		return nil
	default:
	}
	switch {
	case !errors.Is(ctx.Err(), context.DeadlineExceeded):
		return ctx.Err()
	case w.failed != nil:
		return w.failed
	default:
		return ErrNotYetProjected
	}
}
