package inbox

import (
	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
)

// Entry is one thing a stream tells its reader. Exactly one of Item, Change and
// Retracted is set.
type Entry struct {
	Position  events.Position
	Item      *Item
	Change    *Change
	Retracted *uuid.UUID // the notification's id; the reader may never have had it
}

// Ask says what a follower wants to know of a user's inbox before it goes live.
// With Resume, every entry after After, oldest first; otherwise the newest
// Newest items, oldest of them first; with neither, no entries.
type Ask struct {
	User   events.User
	Resume bool
	After  events.Position
	Newest int
	Limit  int // how many entries one answer to a Resume holds at most; 0 means 1,000
}

// Snapshot is the answer, all of it read in one snapshot of the read model.
type Snapshot struct {
	// Position is the read model's checkpoint: nothing above it is in here.
	Position events.Position
	// Periods are all of the user's periods, closed ones included.
	Periods []Period
	// Muted are the topics the user has muted, subscribed or not.
	Muted []events.Topic
	// Entries are in position order. Items retracted, expired or deleted are left
	// out; changes and retractions are in their places.
	Entries []Entry
	// Through is how far Entries are complete: Position, or less where Limit cut.
	Through events.Position
}
