package esdb

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/tidings-io/tidings/internal/events"
)

func TestTooManyHangingCalls(t *testing.T) {
	t.Parallel()
	config, err := parse("esdb://127.0.0.1:1?tls=false", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	c, err := newConnection(*config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.leave()
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
