package eventlog

import (
	"math"
	"time"

	"github.com/google/uuid"
)

// Position is an event's place in the log. The first event has 1; 0 is before every event.
type Position uint64

// Revision is an event's place in its stream. The first event has 0.
type Revision int64

const (
	// NoRevision is the last revision of a stream without events.
	NoRevision Revision = -1
	// TombstoneRevision is the revision of the event that ends a stream for ever.
	TombstoneRevision Revision = math.MaxInt64
)

// Expected is what a writer believes about a stream: one of the constants, or a revision from 0 up.
type Expected int64

const (
	// NoStream expects that the stream has no events.
	NoStream Expected = -1
	// Any expects nothing; repeats are recognized by event id.
	Any Expected = -2
	// StreamExists expects events or metadata; repeats are recognized by event id.
	StreamExists Expected = -4
)

// Types of the events which the log itself gives a meaning or writes.
const (
	TypeMetadata      = "$metadata"
	TypeStreamDeleted = "$streamDeleted"
	TypeLink          = "$>"
)

// Event is what a writer proposes. The log keeps the slices: they must not be changed afterwards.
type Event struct {
	ID       uuid.UUID
	Type     string
	JSON     bool // Data is JSON; the log believes it without looking
	Data     []byte
	Metadata []byte
}

// Record is an event as it is stored. Records are shared between readers: never change one.
type Record struct {
	Event

	Stream   string
	Revision Revision
	Position Position
	Created  Ticks
}

// Ticks is a time in 100 ns steps since the Unix epoch.
type Ticks int64

// TicksOf rounds a time down to ticks.
func TicksOf(t time.Time) Ticks { return Ticks(t.UnixNano() / 100) }

// Time is the same moment in UTC.
func (t Ticks) Time() time.Time { return time.Unix(0, int64(t)*100).UTC() }
