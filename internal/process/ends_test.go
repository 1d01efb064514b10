package process

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/tidings-io/tidings/internal/events"
)

func TestHowAServerEnded(t *testing.T) {
	t.Parallel()
	running := t.Context()
	stopped, stop := context.WithCancel(running)
	stop()
	broken := errors.New("the disk is full")
	started := fmt.Errorf("start Postgres: %w", context.Canceled)
	cases := map[string]struct {
		ctx       context.Context
		err, want error
	}{
		"done":                             {running, nil, nil},
		"told to stop":                     {stopped, nil, nil},
		"told to stop while it began":      {stopped, started, nil},
		"broken":                           {running, broken, broken},
		"broken while it was told to stop": {stopped, broken, broken},
		"cancelled by itself":              {running, started, started},
	}
	for name, c := range cases {
		if got := served(c.ctx, c.err); !errors.Is(got, c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

// TestNamingTheStoreLeavesNoDoubt: whether the name was written is not what the caller asks.
func TestNamingTheStoreLeavesNoDoubt(t *testing.T) {
	t.Parallel()
	broken := errors.New("not a name")
	for name, c := range map[string]struct{ err, want error }{
		"away":                      {fmt.Errorf("read store: %w", events.ErrStoreUnavailable), events.ErrStoreUnavailable},
		"nobody knows":              {fmt.Errorf("append to store: %w", events.ErrOutcomeUnknown), events.ErrStoreUnavailable},
		"the caller has gone":       {context.Canceled, context.Canceled},
		"another fault is not away": {broken, broken},
	} {
		got := unnamed(c.err)
		if !errors.Is(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
		if errors.Is(got, events.ErrOutcomeUnknown) {
			t.Errorf("%s: got %v, want no doubt: nothing of the caller's was sent", name, got)
		}
	}
}
