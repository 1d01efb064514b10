package inbox_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// TestClockTicks: milliseconds after noon at which events were recorded, and the
// events, counted from 1, at which the clock ticks.
func TestClockTicks(t *testing.T) {
	t.Parallel()
	many := make([]int, 600)
	cases := map[string]struct {
		at   []int
		want []events.Position
	}{
		"at the first event":                           {[]int{0, 0, 999}, []events.Position{1}},
		"when a second has gone by":                    {[]int{0, 999, 1000, 1999, 2000}, []events.Position{1, 3, 5}},
		"at the first event after a pause":             {[]int{0, 90_000, 90_001}, []events.Position{1, 2}},
		"when 256 events have gone by":                 {many, []events.Position{1, 257, 513}},
		"by the highest time, when times go back":      {[]int{5000, 0, 4000, 5500, 2000, 6000}, []events.Position{1, 6}},
		"at the first event, were it before any epoch": {[]int{-1 << 52}, []events.Position{1}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var clock inbox.Clock
			var got []events.Position
			for i, at := range c.at {
				if clock.Pass(events.Position(i+1), noon.Add(time.Duration(at)*time.Millisecond)) {
					got = append(got, clock.Last.Position)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got ticks at %v, want %v", got, c.want)
			}
		})
	}
}

// TestClockCoversEveryEvent: whatever the times, an event lies less than 256 events
// and less than a second above the last tick, and no event up to a tick is later.
func TestClockCoversEveryEvent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var clock inbox.Clock
		at, latest := noon, noon
		for n := range rapid.IntRange(1, 1000).Draw(rt, "events") {
			at = at.Add(time.Duration(rapid.IntRange(-500, 700).Draw(rt, "ms")) * time.Millisecond)
			if n == 0 || at.After(latest) {
				latest = at
			}
			ticked := clock.Pass(events.Position(n+1), at)
			if clock.Events-clock.Last.Events >= 256 || latest.Sub(clock.Last.At) >= time.Second || clock.Events != int64(n+1) {
				rt.Fatalf("event %d at %s is too far from the tick %+v", n+1, at, clock.Last)
			}
			if ticked && (!clock.Last.At.Equal(latest) || clock.Last.Events != int64(n+1)) {
				rt.Fatalf("the tick %+v, where the latest of %d events is %s", clock.Last, n+1, latest)
			}
		}
	})
}
