package queries_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
	"github.com/tidings-io/tidings/internal/queries"
)

// TestBeforeATime: nothing up to the position was recorded at the time or later, however
// the log's clock went, and it is not far from the last such position.
func TestBeforeATime(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	url, pool := database(t)
	w := &writer{gap: func() uint64 { return 10 }, lapse: func() time.Duration { return lapses[random.IntN(len(lapses))] }}
	w.add(events.StoreNamed{StoreID: storeID})
	for range 300 {
		w.add(events.TopicDescribed{Topic: "builds", Description: fmt.Sprint(len(w.log))})
	}
	q := queries.New(pool, queries.Options{Poll: time.Millisecond})
	if at, err := q.Before(t.Context(), now); err != nil || at != 0 {
		t.Errorf("of empty tables: got %s, %v, want 0", at, err)
	}
	project(t.Context(), t, url, q, w.log, never, inbox.Retention{}, 0)
	for _, r := range w.log {
		for _, at := range []time.Time{r.At, r.At.Add(time.Nanosecond), r.At.Add(-time.Nanosecond), r.At.Add(500 * time.Millisecond)} {
			got, err := q.Before(t.Context(), at)
			if err != nil {
				t.Fatal(err)
			}
			var best events.Position // the highest below which nothing is too late
			for _, e := range w.log {
				if !e.At.Before(at.Truncate(time.Microsecond)) {
					break
				}
				best = e.Position
			}
			if got > best || best-got > 256*10 {
				t.Errorf("seed %d: before %s: got %s, want about %s and not more", seed, at, got, best)
			}
		}
	}
}
