package inbox

import (
	"time"

	"github.com/tidings-io/tidings/internal/events"
)

// Retention says how long items stay in an inbox, whatever became of them; the
// zero value keeps them for ever.
type Retention struct {
	// Age hides what was received longer ago than this, to the precision of the
	// clock: see Timeline. 0 hides nothing.
	Age time.Duration
	// Items is how many of the items a user received are not hidden, the newest of
	// them: what they deleted, or what was retracted or has expired, counts as any
	// other, so that what was hidden stays so. 0 hides nothing.
	Items int
	// Above is where the inbox begins at the earliest: what is at or below it has been
	// let go by a retention that was tighter. 0 for a whole log.
	Above events.Position
}
