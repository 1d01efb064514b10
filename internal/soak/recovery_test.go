package soak

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// question asks for everybody's counts again and again, and holds each answer to coming in time; stop says how long the
// slowest took, and how many were refused.
func (s *faulty) question(ctx context.Context, t *testing.T) (stop func() (slowest time.Duration, refused int64)) {
	t.Helper()
	enough := make(chan struct{})
	var asking sync.WaitGroup
	var slowest, refused atomic.Int64
	for _, m := range s.crew.members {
		asking.Go(func() {
			for {
				took, told, err := s.counts(ctx, m.user)
				if err != nil {
					t.Error(err)
					return
				}
				atMost(&slowest, took)
				if told {
					refused.Add(1)
				}
				select {
				case <-enough:
					return
				case <-time.After(100 * time.Millisecond):
				}
			}
		})
	}
	return func() (time.Duration, int64) {
		close(enough)
		asking.Wait()
		return time.Duration(slowest.Load()), refused.Load()
	}
}

// counts asks for a user's, and says whether it was told that the database is away.
func (s *faulty) counts(ctx context.Context, user string) (took time.Duration, away bool, err error) {
	a, err := send(ctx, http.MethodGet, s.api+"/v1/users/"+user+"/inbox/counts", "")
	away = a.is503("database_unavailable")
	switch {
	case err != nil:
	case a.status != http.StatusOK && !away:
		err = fmt.Errorf("got %d %s, want them, or to be told that the database is away", a.status, a.text)
	case a.took > questionDeadline:
		err = fmt.Errorf("got %d after %s, want it within %s", a.status, a.took, questionDeadline)
	}
	if err != nil {
		err = fmt.Errorf("ask for the counts of %s: %w", user, err)
	}
	return a.took, away, err
}

// atMost raises what is the most so far.
func atMost(most *atomic.Int64, d time.Duration) {
	for so := most.Load(); int64(d) > so && !most.CompareAndSwap(so, int64(d)); so = most.Load() {
	}
}

// wellness is how long it took after a fault until all was well.
type wellness struct{ commands, readers, inboxes time.Duration }

func (w wellness) String() string {
	return fmt.Sprintf("%.1f s | %.1f s | %.1f s", w.commands.Seconds(), w.readers.Seconds(), w.inboxes.Seconds())
}

// recover waits until commands are done quickly, readers have what was published after the fault, and inboxes too.
func (s *faulty) recover(ctx context.Context, t *testing.T) (w wellness) {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, recoveryLimit, fmt.Errorf("not well %s after the fault", recoveryLimit))
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		err := repeatedly(ctx, func() error {
			a, err := send(ctx, http.MethodPut, s.api+"/v1/users/guest/subscriptions/quiet", "")
			if err == nil && (a.status >= http.StatusMultipleChoices || a.took > quickly) {
				err = fmt.Errorf("a command: got %d after %s: %s", a.status, a.took, a.text)
			}
			return err
		})
		w.commands = time.Since(began)
		return err
	})
	beacon, err := s.beacon(ctx)
	if err != nil {
		t.Fatalf("publish after the fault: %v", err)
	}
	group.Go(func() error {
		for _, r := range s.readers {
			if err := r.Received(ctx, beacon.ID); err != nil {
				return err
			}
		}
		w.readers = time.Since(began)
		return nil
	})
	group.Go(func() error {
		err := repeatedly(ctx, func() error {
			a, err := send(ctx, http.MethodGet, s.api+"/v1/users/crew-0/inbox?limit=1&wait_for="+beacon.Position, "")
			if err == nil && (a.status != http.StatusOK || a.took > quickly) {
				err = fmt.Errorf("an inbox: got %d after %s: %s", a.status, a.took, a.text)
			}
			if err == nil {
				err = projecting(ctx, s.projector)
			}
			return err
		})
		w.inboxes = time.Since(began)
		return err
	})
	if err := group.Wait(); err != nil {
		t.Fatalf("not well after %s: %v", time.Since(began).Round(time.Millisecond), err)
	}
	return w
}

// beacon is a publish to everybody, by the first of the crew's hand.
func (s *faulty) beacon(ctx context.Context) (published, error) {
	to := make([]string, len(s.crew.members))
	for i, m := range s.crew.members {
		to[i] = `"user:` + m.user + `"`
	}
	key := fmt.Sprintf("beacon-%d", len(s.crew.beacons))
	a, err := s.crew.insist(ctx, http.MethodPost, "/v1/notifications",
		`{"to":[`+strings.Join(to, ",")+`],"title":"`+key+`"}`, "Idempotency-Key", key)
	if err == nil {
		s.crew.beacons = append(s.crew.beacons, a.published)
	}
	return a.published, err
}

// repeatedly asks until the answer is nil, or ctx ends: then the error says why.
func repeatedly(ctx context.Context, ask func() error) error {
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}
