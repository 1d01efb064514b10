package inbox

import (
	"sort"
	"time"

	"github.com/tidings-io/tidings/internal/events"
)

// Timeline is the course of the log: how far it was folded, and which position was
// when, as the ticks of a Clock say.
type Timeline struct {
	position events.Position
	clock    Clock
	ticks    []Tick
}

// Note takes the next event of the log.
func (t *Timeline) Note(r events.Recorded) {
	t.position = r.Position
	if t.clock.Pass(r.Position, r.At) {
		t.ticks = append(t.ticks, t.clock.Last)
	}
}

// Position is that of the event noted last.
func (t *Timeline) Position() events.Position { return t.position }

// Latest is the highest time recorded so far; zero before the first event.
func (t *Timeline) Latest() time.Time { return t.clock.Latest }

// Horizon is the position at and below which everything is older than an age.
func (t *Timeline) Horizon(now time.Time, age time.Duration) events.Position {
	if age == 0 {
		return 0
	}
	younger := sort.Search(len(t.ticks), func(i int) bool { return t.ticks[i].At.After(now.Add(-age)) })
	if younger == len(t.ticks) {
		return t.position
	}
	return t.ticks[younger].Position - 1
}
