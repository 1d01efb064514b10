package inbox_test

import (
	"testing"
	"time"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
)

// TestTimelineIsSampled: the horizon is that of the naive rule in a crowd of events
// too, and never goes back with the clock of the store.
func TestTimelineIsSampled(t *testing.T) {
	t.Parallel()
	line, m := new(inbox.Timeline), newModel()
	for n := range 1500 {
		r := events.Recorded{Position: events.Position(n + 1), At: epoch.Add(time.Duration(n%400) * time.Millisecond), Event: events.TopicDescribed{}}
		line.Note(r)
		m.apply(r)
	}
	if got, want := line.Latest(), epoch.Add(399*time.Millisecond); !got.Equal(want) {
		t.Errorf("the latest time is %s, want %s", got, want)
	}
	for tenths := range 8 {
		now := epoch.Add(time.Minute + time.Duration(tenths)*100*time.Millisecond - time.Millisecond)
		if got, want := line.Horizon(now, time.Minute), m.horizon(now, time.Minute); got != want {
			t.Errorf("at %s everything up to %s is too old, want %s", now, got, want)
		}
	}
}
