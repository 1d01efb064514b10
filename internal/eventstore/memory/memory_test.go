package memory_test

import (
	"testing"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/memory"
	"github.com/tidings-io/tidings/internal/eventstore/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) storetest.Store { return &memory.Store{} })
}

func TestSharedStore(t *testing.T) {
	t.Parallel()
	var shared memory.Store
	storetest.Run(t, func(*testing.T) storetest.Store { return &shared })
}

func TestAnEmptyStoreHasHeadZero(t *testing.T) {
	t.Parallel()
	var store memory.Store
	if head, err := store.Head(t.Context()); head != 0 || err != nil {
		t.Errorf("head: got %s, %v, want 0", head, err)
	}
	for e, err := range store.ReadAll(t.Context(), 0, events.Filter{}) {
		t.Errorf("the empty log has %v, %v", e, err)
	}
}
