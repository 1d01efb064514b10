package live

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/pulse"
)

const stuckAfter = time.Minute

// TestAHubWithoutAStoreIsNotStuck, whichever way the store is away, nor without a
// read model.
func TestAHubWithoutAStoreIsNotStuck(t *testing.T) {
	t.Parallel()
	away := errors.New("connection refused")
	for name, hub := range map[string]func(*world) *Hub{
		"nothing comes": func(w *world) *Hub { return w.hub(Limits{}) },
		"each subscription fails": func(w *world) *Hub {
			h := w.hub(Limits{})
			h.Source = &gate{world: w, failing: func() error { return away }}
			return h
		},
		"no question is answered": func(w *world) *Hub { h := w.hub(Limits{}); h.Start = silent; h.Source = hanging{w}; return h },
		"its skips cannot be asked": func(w *world) *Hub {
			h := w.hub(Limits{})
			h.Skipped = func(context.Context) ([]events.Position, error) { return nil, away }
			return h
		},
		"neither is there": func(w *world) *Hub { w.down, w.headless = away, away; return w.hub(Limits{}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := hub(newWorld())
				h.Loops = new(pulse.Loops)
				run(t, h)
				for range 60 {
					time.Sleep(time.Minute)
					if stuck := h.Loops.Stuck(stuckAfter / 2); len(stuck) > 0 {
						t.Fatalf("got %v, want none stuck", stuck)
					}
				}
			})
		})
	}
}

// silent never answers in time.
func silent(ctx context.Context) (events.Position, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

// hanging is a store that takes questions and answers none.
type hanging struct{ *world }

func (hanging) Head(ctx context.Context) (events.Position, error) { return silent(ctx) }

func (hanging) Subscribe(ctx context.Context, _ events.Position) iter.Seq2[events.Message, error] {
	return func(func(events.Message, error) bool) { <-ctx.Done() }
}

// TestAStuckHubIsNamed: its loop, at an event that it does not get done with, and
// its lock, which that holds; and no more once it moves again. It is no test of
// virtual time: that stands still while somebody waits for a lock.
func TestAStuckHubIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld()
	h := w.hub(Limits{})
	release := make(chan struct{})
	free := sync.OnceFunc(func() { close(release) })
	h.Loops, h.Logger = new(pulse.Loops), slog.New(stuckAt{slog.DiscardHandler, "an event was skipped", release})
	run(t, h)
	t.Cleanup(free) // before the hub is waited for
	eventually(t, "the hub begins", func() bool { return h.Ready() == nil })
	w.append(published(2, 0, "topic:a"), 0)
	at := w.append(published(3, 0, "topic:a"), 0)
	eventually(t, "the event is folded", func() bool { return h.Position() == at })
	w.append(events.EventSkipped{Order: events.Order{Projection: "inbox"}, Position: at}, 0)
	stuck := func() map[string]time.Duration { return h.Loops.Stuck(soon) }
	eventually(t, "loop and lock are named", func() bool { return stuck()[loopName] > soon && stuck()[lockName] > soon })
	free()
	eventually(t, "nobody is named any more", func() bool { return len(stuck()) == 0 })
}

// soon is longer than a loop of these tests is at anything, on most machines.
const soon = 10 * time.Millisecond

// stuckAt is a log that holds up whoever says something to it.
type stuckAt struct {
	slog.Handler

	what    string
	release <-chan struct{}
}

func (stuckAt) Enabled(context.Context, slog.Level) bool { return true }

func (s stuckAt) Handle(_ context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, s.what) {
		<-s.release
	}
	return nil
}

// TestALockHeldForEverIsSeen though no event comes.
func TestALockHeldForEverIsSeen(t *testing.T) {
	t.Parallel()
	h := newWorld().hub(Limits{})
	h.Loops = new(pulse.Loops)
	run(t, h)
	eventually(t, "the hub begins", func() bool { return h.Ready() == nil })
	h.mu.Lock()
	held := true
	defer func() {
		if held {
			h.mu.Unlock()
		}
	}()
	eventually(t, "the lock is named", func() bool { return h.Loops.Stuck(soon)[lockName] > soon })
	held = false
	h.mu.Unlock()
	eventually(t, "the lock is named no more", func() bool { return h.Loops.Stuck(soon)[lockName] == 0 })
}

// eventually waits for a condition, for much longer than it takes.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	giveUp := time.NewTimer(time.Minute)
	defer giveUp.Stop()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for !is() {
		select {
		case <-again.C:
		case <-giveUp.C:
			t.Fatalf("%s: not within a minute", what)
		}
	}
}
