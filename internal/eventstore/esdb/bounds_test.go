package esdb

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/tidings-io/tidings/internal/events"
)

func connected(t *testing.T) *connection {
	t.Helper()
	config, err := parse("esdb://127.0.0.1:1?tls=false", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	c, err := newConnection(*config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.leave)
	return c
}

// TestAHangingCall leaves a call behind that does not heed its context, and
// counts it until it returns.
func TestAHangingCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := &connection{ctx: t.Context(), users: 2}, &Store{}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		hanging, began := make(chan struct{}), time.Now()
		_, err := call(ctx, s, c, func(context.Context, *client.Client) (int, error) {
			<-hanging
			return 1, nil
		})
		if !errors.Is(err, errAbandoned) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want %v", err, errAbandoned)
		}
		if took := time.Since(began); took != 3*time.Second+grace {
			t.Errorf("took %s", took)
		}
		if s.abandoned != 1 || c.users != 2 {
			t.Errorf("while it hangs: %d abandoned, %d users, want 1 and 2", s.abandoned, c.users)
		}
		close(hanging)
		synctest.Wait()
		if s.abandoned != 0 || c.users != 1 {
			t.Errorf("after it returned: %d abandoned, %d users, want 0 and 1", s.abandoned, c.users)
		}
	})
}

func TestTooManyHangingCalls(t *testing.T) {
	t.Parallel()
	c := connected(t)
	s := &Store{current: c, abandoned: maxAbandoned - 1}
	got, err := s.acquire(t.Context(), false)
	if err != nil {
		t.Fatalf("with room for one more: %v", err)
	}
	got.leave()
	s.countAbandoned(1)
	if _, err := s.acquire(t.Context(), false); !errors.Is(err, events.ErrStoreUnavailable) {
		t.Errorf("without room: got %v, want %v", err, events.ErrStoreUnavailable)
	}
}
