package inbox

import (
	"sort"
	"time"

	"github.com/tidings-io/tidings/internal/events"
)

// Timeline is the course of the log: how far it was folded, and which position was
// when. Times are the highest recorded so far, so that they never go back.
type Timeline struct {
	position events.Position
	latest   time.Time
	samples  []sample
	unnoted  int // events since the last sample
}

// sample notes that the log had reached a time with the event at a position.
type sample struct {
	position events.Position
	at       time.Time
}

const (
	sampleEvents = 256
	sampleTime   = time.Second
)

// Note takes the next event of the log.
func (t *Timeline) Note(r events.Recorded) {
	t.position = r.Position
	if r.At.After(t.latest) {
		t.latest = r.At
	}
	t.unnoted++
	if n := len(t.samples); n > 0 && t.unnoted < sampleEvents && t.latest.Sub(t.samples[n-1].at) < sampleTime {
		return
	}
	t.samples = append(t.samples, sample{t.position, t.latest})
	t.unnoted = 0
}

// Position is that of the event noted last.
func (t *Timeline) Position() events.Position { return t.position }

// Latest is the highest time recorded so far; zero before the first event.
func (t *Timeline) Latest() time.Time { return t.latest }

// Horizon is the position at and below which everything is older than an age.
func (t *Timeline) Horizon(now time.Time, age time.Duration) events.Position {
	if age == 0 {
		return 0
	}
	younger := sort.Search(len(t.samples), func(i int) bool { return t.samples[i].at.After(now.Add(-age)) })
	if younger == len(t.samples) {
		return t.position
	}
	return t.samples[younger].position - 1
}
