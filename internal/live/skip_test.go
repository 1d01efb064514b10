package live

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings-io/tidings/internal/events"
)

func TestAHaltedHubGoesOnWhenTheEventIsSkipped(t *testing.T) {
	t.Parallel()
	bubble(t, Limits{}, func(t *testing.T, w *world, h *Hub) {
		reg := prometheus.NewRegistry()
		h.Metrics = NewMetrics(reg)
		w.all(subscribed("ann", "a", 0))
		poison := w.unreadable()
		w.append(published(3, 0, "topic:a"), 0)
		time.Sleep(time.Minute)
		if err := h.Ready(); !errors.Is(err, events.ErrUnknownForm) {
			t.Errorf("ready: %v", err)
		}
		equal(t, metric(t, reg, "tidings_live_halted"), 1)
		w.skip(poison)
		time.Sleep(2 * time.Second)
		equal(t, h.Ready(), nil)
		equal(t, metric(t, reg, "tidings_live_halted"), 0)
		f := follow(t, h, FollowRequest{User: "ann", LastEventID: Earliest}) // the read model is still before the event
		equal(t, short(next(t, f)), []string{"3 message n3"})
		equal(t, h.epoch, 0)
	})
}

func TestAnEventThatWasSkippedIsPassedOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.all(subscribed("ann", "a", 0))
		w.append(unsubscribed("ann", "a"), 0)
		w.skip(w.unreadable())
		w.skip(2)
		h := w.hub(Limits{})
		run(t, h)
		synctest.Wait()
		f := follow(t, h, FollowRequest{User: "ann", LastEventID: Earliest})
		w.append(published(6, 0, "topic:a"), 0)
		equal(t, short(next(t, f)), []string{"6 message n6"})
		equal(t, h.epoch, 0)
		equal(t, h.check(w), "")
	})
}

func TestWithoutAnybodyToAskTheHubHalts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := w.hub(Limits{})
		h.Skipped = nil
		run(t, h)
		w.skip(w.unreadable())
		time.Sleep(time.Minute)
		if err := h.Ready(); !errors.Is(err, events.ErrUnknownForm) {
			t.Errorf("ready: %v", err)
		}
	})
}

// TestWhatWasFoldedBeforeItWasSkippedIsForgotten: the projector halts at an event
// that the hub can read, and an operator skips it.
func TestWhatWasFoldedBeforeItWasSkippedIsForgotten(t *testing.T) {
	t.Parallel()
	limits := map[string]Limits{
		"with a window": {}, "without": {WindowEvents: 1, GapWait: time.Millisecond}, "with a short queue": {QueueFrames: 2, page: 1, join: 1},
	}
	for name, l := range limits {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, l, func(t *testing.T, w *world, h *Hub) {
				w.all(subscribed("ann", "a", 0))
				synctest.Wait()
				before := follow(t, h, FollowRequest{User: "ann"})
				w.append(unsubscribed("ann", "a"), 0) // what the projector cannot apply
				w.append(published(3, 0, "topic:a"), 0)
				w.append(published(4, 0, "topic:a"), 0)
				synctest.Wait()
				after := follow(t, h, FollowRequest{User: "ann", LastEventID: "1"})
				equal(t, next(t, after), nil)
				equal(t, next(t, before), nil)
				equal(t, w.skip(2), 5)
				w.append(published(6, 0, "topic:a"), 0)
				want := []string{"3 message n3", "4 message n4", "6 message n6"}
				equal(t, short(next(t, before)), want) // from the log: the projector has not gone on yet
				w.project(6)
				equal(t, short(next(t, after)), want)
				w.append(published(7, 0, "topic:a"), 0)
				equal(t, short(next(t, before)), []string{"7 message n7"})
				equal(t, h.check(w), "")
				equal(t, h.epoch, 1)
			})
		})
	}
}

// TestWhatASkipDoesNotTouch: of what was told, or is from history, nothing comes
// again; of what was only about to be told, all.
func TestWhatASkipDoesNotTouch(t *testing.T) {
	t.Parallel()
	bubble(t, Limits{}, func(t *testing.T, w *world, h *Hub) {
		w.all(published(1, 0, "user:ann"), subscribed("ann", "a", 0), published(3, 0, "user:ann"))
		synctest.Wait()
		fresh := follow(t, h, FollowRequest{User: "ann"})
		newest := follow(t, h, FollowRequest{User: "ann", Newest: 1})
		resumed := follow(t, h, FollowRequest{User: "ann", LastEventID: "1"})
		equal(t, short(next(t, resumed)), []string{"3 message n3"})
		w.append(published(4, 0, "topic:a"), 0)
		equal(t, short(next(t, resumed)), []string{"4 message n4"})
		w.append(unsubscribed("ann", "a"), 0)
		w.append(published(6, 0, "topic:a", "user:ann"), 0)
		w.append(published(7, 0, "topic:a"), 0)
		synctest.Wait()
		pending := follow(t, h, FollowRequest{User: "ann", LastEventID: "3"}) // 4 and 6 are its next, from the window
		w.skip(5)
		w.project(8)
		synctest.Wait()
		equal(t, short(next(t, fresh)), []string{"4 message n4", "6 message n6", "7 message n7"})
		equal(t, short(next(t, newest)), []string{"3 message n3", "4 message n4", "6 message n6", "7 message n7"})
		equal(t, short(next(t, resumed)), []string{"6 message n6", "7 message n7"})
		equal(t, short(next(t, pending)), []string{"4 message n4", "6 message n6", "7 message n7"})
	})
}

func TestASkipInAnotherProjectionIsNoBusinessOfLive(t *testing.T) {
	t.Parallel()
	bubble(t, Limits{}, func(t *testing.T, w *world, h *Hub) {
		f := follow(t, h, FollowRequest{User: "ann"})
		w.append(published(1, 0, "user:ann"), 0)
		w.append(events.EventSkipped{Order: events.Order{Projection: "another"}, Position: 1}, 0)
		equal(t, short(next(t, f)), []string{"1 message n1"})
		equal(t, h.epoch, 0)
	})
}
