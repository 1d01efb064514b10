package esdb_test

import (
	"errors"
	"testing"
	"time"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/esdb"
)

func TestCloseEndsSubscriptions(t *testing.T) {
	t.Parallel()
	store := open(t, startServer(t).url(), esdb.Options{})
	var last error
	var closed time.Time
	for m, err := range store.Subscribe(t.Context(), 0) {
		if last = err; m.CaughtUp {
			closed = time.Now()
			go store.Close()
		}
	}
	if !errors.Is(last, events.ErrStoreUnavailable) {
		t.Errorf("the last error: got %v, want %v", last, events.ErrStoreUnavailable)
	}
	if took := time.Since(closed); took > slack {
		t.Errorf("the subscription took %s to end", took)
	}
}
