package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestAGateLetsSoManyThrough(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(3, 2)
		enter := func(subject string) (leave func()) {
			t.Helper()
			leave, err := g.enter(t.Context(), subject)
			if err != nil {
				t.Fatalf("%s: %v", subject, err)
			}
			return leave
		}
		refused := func(what, subject string) {
			t.Helper()
			began := time.Now()
			_, err := g.enter(t.Context(), subject)
			if f, ok := errors.AsType[*fault](err); !ok || f.code != codeRateLimited || f.retryAfter != gateWait || time.Since(began) != gateWait {
				t.Errorf("%s: got %v after %s, want it refused after %s", what, err, time.Since(began), gateWait)
			}
		}
		first, second := enter("ann"), enter("ann")
		refused("a third of one subject", "ann")
		third := enter("bob")
		refused("a fourth of all", "carl")
		waited := make(chan func(), 1)
		go func() {
			leave, err := g.enter(t.Context(), "carl")
			if err != nil {
				t.Errorf("whoever waited: %v", err)
			}
			waited <- leave
		}()
		synctest.Wait()
		second()
		fourth := <-waited
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := g.enter(gone, "dora"); err == nil {
			t.Error("whoever had gone was let through")
		}
		for _, leave := range []func(){first, third, fourth} {
			leave()
		}
		if g.all != 0 || len(g.of) != 0 {
			t.Errorf("%d are counted of %v, after all have left", g.all, g.of)
		}
	})
}

// What anybody may ask is asked of the dependencies once for all of them, and tells
// nothing of them where there is access control.
func TestReadinessIsAskedOnceAndHidesWhy(t *testing.T) {
	t.Parallel()
	for _, hidden := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var asked atomic.Int64
			var log strings.Builder
			d := newDependencies([]Check{{Name: "database", Ask: func(context.Context) error {
				asked.Add(1)
				time.Sleep(time.Second)
				return errors.New("dial tcp 10.1.2.3:5432")
			}}}, hidden, slog.New(slog.NewTextHandler(&log, nil)))
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					got := d.look(t.Context())
					if got.Status != stateAway || strings.Contains(fmt.Sprint(got), "10.1.2.3") == hidden {
						t.Errorf("hidden %t: got %+v", hidden, got)
					}
				})
			}
			wg.Wait()
			if n := asked.Load(); n != 1 {
				t.Errorf("asked %d times, want once", n)
			}
			time.Sleep(lookFor)
			_ = d.look(t.Context())
			if n := asked.Load(); n != 2 {
				t.Errorf("asked %d times in all, want once more later", n)
			}
			if got := strings.Count(log.String(), "10.1.2.3"); hidden && got != 1 || !hidden && got != 0 {
				t.Errorf("hidden %t: the log names the reason %d times:\n%s", hidden, got, log.String())
			}
		})
	}
}
