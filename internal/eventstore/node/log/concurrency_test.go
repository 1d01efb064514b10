package eventlog_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

func TestOfManyWritersAtOneRevisionOneWins(t *testing.T) {
	t.Parallel()
	const writers, rounds = 16, 20
	l := open(t, eventlog.Options{})
	for round := range rounds {
		var won, lost atomic.Int32
		var group sync.WaitGroup
		for range writers {
			group.Go(func() {
				var wrong *eventlog.WrongRevision
				switch done, err := l.Append(t.Context(), "s", eventlog.Expected(round-1), event("x")); {
				case err == nil && int(done.Revision) == round:
					won.Add(1)
				case errors.As(err, &wrong) && int(wrong.Current) == round:
					lost.Add(1)
				default:
					t.Errorf("append: %+v, %v", done, err)
				}
			})
		}
		group.Wait()
		if won.Load() != 1 || lost.Load() != writers-1 {
			t.Fatalf("at revision %d %d won and %d lost", round-1, won.Load(), lost.Load())
		}
	}
	if got := l.Head(); got != rounds {
		t.Errorf("head = %d, want %d", got, rounds)
	}
}

// TestFollowersSeeEachEventOnceInOrder has followers that start anywhere while writers write, with a ring so small that they fall out of
// it all the time.
func TestFollowersSeeEachEventOnceInOrder(t *testing.T) {
	t.Parallel()
	const writers, each = 8, 200
	const last = writers * each
	l := open(t, eventlog.Options{RingEvents: 4})
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for range each {
				if _, err := l.Append(t.Context(), fmt.Sprint("s", w), eventlog.Any, event("x")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 4 {
		group.Go(func() {
			next := l.Head() + 1
			for next <= last {
				_, moved := l.Moved()
				page, err := l.Forward(next, eventlog.Limit{Events: 7})
				if err != nil {
					t.Error(err)
					return
				}
				for _, r := range page {
					if r.Position != next {
						t.Errorf("position %d after %d", r.Position, next-1)
						return
					}
					next++
				}
				if len(page) == 0 {
					<-moved
				}
			}
		})
	}
	group.Wait()
}

func TestCloseEndsWaitingAndReading(t *testing.T) {
	t.Parallel()
	l, err := eventlog.Open(t.TempDir(), eventlog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, moved := l.Moved()
	var group sync.WaitGroup
	for w := range 4 {
		group.Go(func() {
			for {
				if _, err := l.Append(t.Context(), fmt.Sprint("s", w), eventlog.Any, event("x")); err != nil {
					if !errors.Is(err, eventlog.ErrClosed) {
						t.Errorf("append: %v, want ErrClosed", err)
					}
					return
				}
			}
		})
		group.Go(func() {
			for {
				if _, err := l.Backward(l.Head()+1, eventlog.Limit{}); err != nil {
					if !errors.Is(err, eventlog.ErrClosed) {
						t.Errorf("read: %v, want ErrClosed", err)
					}
					return
				}
			}
		})
	}
	<-moved
	_, moved = l.Moved()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	<-moved
	group.Wait()
	if err := l.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}
