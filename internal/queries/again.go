package queries

import (
	"context"
	"errors"
	"time"
)

// againAfter are the pauses before a query is asked again whose snapshot was below
// what was demanded.
var againAfter = []time.Duration{5 * time.Millisecond, 45 * time.Millisecond, 250 * time.Millisecond}

// again asks until the answer is not ErrNotYetProjected, or has been that a few
// times. A snapshot taken just before another version took the serving one's place
// shows that version as it was then, though readers have seen more of the other.
func again(ctx context.Context, ask func() error) error {
	for _, pause := range againAfter {
		err := ask()
		if !errors.Is(err, ErrNotYetProjected) {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
	}
	return ask()
}
