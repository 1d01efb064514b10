package queries

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidings-io/tidings/internal/events"
)

func TestAllWaitersShareOneLookPerInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		began := time.Now()
		w := newWatch(50*time.Millisecond, func(context.Context) (events.Position, error) {
			looks++ // racy if two ever ask at once
			time.Sleep(time.Millisecond)
			return events.Position(time.Since(began) / time.Second), nil
		})
		var waiting sync.WaitGroup
		for i := range 1000 {
			waiting.Go(func() {
				want := events.Position(1 + i%10)
				if err := w.wait(t.Context(), want); err != nil {
					t.Error(err)
				}
				if got := events.Position(time.Since(began) / time.Second); got != want {
					t.Errorf("waited for %s until %s", want, got)
				}
			})
		}
		waiting.Wait()
		if most := 10*20 + 2; looks > most {
			t.Errorf("%d looks, want at most %d", looks, most)
		}
	})
}

func TestLeadersThatGiveUpDoNotDelayTheLook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		w := newWatch(50*time.Millisecond, func(context.Context) (events.Position, error) {
			return events.Position(time.Since(began) / time.Second), nil
		})
		w.hear(0) // listening, so that arrivals do not make anybody look
		var waiting sync.WaitGroup
		for i := range 40 { // each leads for 30 ms, until its time is over
			waiting.Go(func() {
				short, cancel := context.WithTimeout(t.Context(), time.Duration(1+i)*30*time.Millisecond)
				defer cancel()
				_ = w.wait(short, 100) // in vain
			})
			synctest.Wait()
		}
		if err := w.wait(t.Context(), 1); err != nil {
			t.Error(err)
		}
		if late := time.Since(began); late > 1100*time.Millisecond {
			t.Errorf("woken after %s, want 1 s and an interval", late)
		}
		waiting.Wait()
	})
}

func TestWhoeverListensNeedNotLookForEachArrival(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		w := newWatch(50*time.Millisecond, func(context.Context) (events.Position, error) {
			looks++
			return 0, nil
		})
		w.hear(0)
		for p := range events.Position(100) { // one a millisecond
			go func() {
				time.Sleep(time.Millisecond)
				w.hear(p + 1)
			}()
			if err := w.wait(t.Context(), p+1); err != nil {
				t.Error(err)
			}
		}
		if most := 3; looks > most {
			t.Errorf("%d looks, want at most %d", looks, most)
		}
	})
}

func TestAWaitSaysHowItEnded(t *testing.T) {
	t.Parallel()
	away := errors.New("away")
	cases := map[string]struct {
		at   events.Position
		err  error
		want error
	}{
		"the position is reached":        {at: 7},
		"the position is passed":         {at: 8},
		"it is one short":                {at: 6, want: ErrNotYetProjected},
		"the read model cannot be asked": {err: away, want: away},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWatch(time.Second, func(context.Context) (events.Position, error) { return c.at, c.err })
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if err := w.wait(ctx, 7); !errors.Is(err, c.want) {
					t.Errorf("got %v, want %v", err, c.want)
				}
				if len(w.waiting) != 0 {
					t.Error("it is still waited for")
				}
			})
		})
	}
}

func TestWhatABrokenConnectionKnewIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWatch(time.Second, func(context.Context) (events.Position, error) { return 3, nil })
		w.hear(9)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := w.wait(ctx, 9); err != nil {
			t.Errorf("while connected: %v", err)
		}
		w.forget()
		if err := w.wait(ctx, 9); !errors.Is(err, ErrNotYetProjected) {
			t.Errorf("once the server has lost it: got %v, want %v", err, ErrNotYetProjected)
		}
	})
}
