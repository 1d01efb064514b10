package live

import (
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"
)

func TestFramesThatWaitAreCountedUntilSomebodyTakesOrForgetsThem(t *testing.T) {
	t.Parallel()
	bubble(t, Limits{QueueFrames: 4}, func(t *testing.T, w *world, h *Hub) {
		reg := prometheus.NewRegistry()
		h.Metrics = NewMetrics(reg)
		waiting := func(want float64) {
			t.Helper()
			synctest.Wait()
			equal(t, metric(t, reg, "tidings_live_waiting_frames"), want)
		}
		taker := follow(t, h, FollowRequest{User: "ann"})
		follow(t, h, FollowRequest{User: "bob"})
		leaver, err := h.Follow(t.Context(), FollowRequest{User: "ann"})
		if err != nil {
			t.Fatal(err)
		}
		waiting(0)
		for i := range 3 {
			w.append(published(i+1, 0, "user:ann", "user:bob"), 0)
		}
		waiting(9)
		next(t, taker)
		waiting(6)
		leaver.Close()
		waiting(3)
		w.append(published(4, 0, "user:bob"), 0)
		w.append(published(5, 0, "user:bob"), 0) // one too many: bob's queue is dropped
		waiting(0)
	})
}
