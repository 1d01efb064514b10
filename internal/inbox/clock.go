package inbox

import (
	"time"

	"github.com/tidings-io/tidings/internal/events"
)

const (
	// tickEvents and tickTime are how far apart two ticks of a Clock are at most, but
	// for stretches in which nothing was recorded.
	tickEvents = 256
	tickTime   = time.Second
)

// Clock tells which position of a log was when. Times of events may go back, so it
// goes by the highest so far, and it ticks at the first event and whenever 256
// events or a second of that time have gone by since: the same ticks wherever it
// is stopped and resumed. The zero value stands before the first event.
type Clock struct {
	Latest time.Time // the highest time of any event so far
	Events int64     // how many events there were so far
	Last   Tick
}

// Tick is a position with its time: that no event up to it was recorded later.
type Tick struct {
	Position events.Position
	At       time.Time
	Events   int64 // up to here, this one counted
}

// Pass takes the next event of the log, and says whether the clock ticks at it:
// Last is then the tick.
func (c *Clock) Pass(position events.Position, at time.Time) bool {
	c.Events++
	if c.Events == 1 || at.After(c.Latest) {
		c.Latest = at
	}
	if c.Events > 1 && c.Events-c.Last.Events < tickEvents && c.Latest.Sub(c.Last.At) < tickTime {
		return false
	}
	c.Last = Tick{Position: position, At: c.Latest, Events: c.Events}
	return true
}
