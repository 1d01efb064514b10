package process

import (
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/memory"
)

func TestSkippedReadsTheOrdersToOneProjection(t *testing.T) {
	t.Parallel()
	store := new(memory.Store)
	ask := skipped(store, "inbox")
	expect := func(want ...events.Position) {
		t.Helper()
		got, err := ask(t.Context())
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("skipped: %v, %v; want %v", got, err, want)
		}
	}
	expect()
	for i, e := range []events.ProjectionEvent{
		events.EventSkipped{Order: events.Order{Projection: "inbox", Reason: "broken"}, Position: 7},
		events.ProjectionPaused{Order: events.Order{Projection: "inbox"}},
		events.EventSkipped{Order: events.Order{Projection: "inbox"}, Position: 9},
		events.EventSkipped{Order: events.Order{Projection: "another"}, Position: 11},
	} {
		stream := events.ProjectionStream("inbox")
		if i == 3 {
			stream = events.ProjectionStream("another")
		}
		p, err := events.Encode(e, stream, i, events.Metadata{Attempt: uuid.New()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Append(t.Context(), stream, events.Any(), p); err != nil {
			t.Fatal(err)
		}
	}
	expect(7, 9)
}
