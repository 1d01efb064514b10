package events

import (
	"errors"
	"fmt"
	"strings"
)

// This file holds the words every event store speaks. The interfaces are
// declared where they are used.

// Expected is what an append demands of its stream: a kind, and a revision for
// kind ExpectExact. The zero value demands nothing.
type Expected struct {
	Kind     ExpectedKind
	Revision Revision
}

// ExpectedKind is how an append judges its stream.
type ExpectedKind uint8

// The kinds of expectation.
const (
	ExpectAny      ExpectedKind = iota // nothing is demanded
	ExpectNoStream                     // the stream has no event
	ExpectExact                        // the stream's last event has Expected.Revision
)

// Any demands nothing of the stream.
func Any() Expected { return Expected{Kind: ExpectAny} }

// NoStream demands that the stream has no event.
func NoStream() Expected { return Expected{Kind: ExpectNoStream} }

// Exactly demands that the stream's last event has this revision.
func Exactly(r Revision) Expected { return Expected{Kind: ExpectExact, Revision: r} }

// String names the expectation.
func (e Expected) String() string {
	switch e.Kind {
	case ExpectNoStream:
		return "no stream"
	case ExpectExact:
		return fmt.Sprintf("revision %d", e.Revision)
	default:
		return "any"
	}
}

// Appended is where an append's last event stands.
type Appended struct {
	Revision Revision
	Position Position
}

// Message is one message of a subscription to the log: exactly one of its
// fields is set.
type Message struct {
	// Event is the next event; it is durable.
	Event *Stored
	// Checkpoint says that everything up to this position has been considered.
	Checkpoint Position
	// CaughtUp says that history has ended and what follows is live. It may come
	// again after a slow reader has caught up once more.
	CaughtUp bool
}

// What an event store can answer instead.
var (
	// ErrWrongRevision: the stream is not as the append expected. Nothing was written.
	ErrWrongRevision = errors.New("the stream is not at the expected revision")
	// ErrStoreUnavailable: the store could not be reached. Nothing was written.
	ErrStoreUnavailable = errors.New("the event store is away")
	// ErrOutcomeUnknown: the store went away during an append, which may or may not
	// have been written.
	ErrOutcomeUnknown = errors.New("the event store went away and may have written the events")
	// ErrStreamDeleted: the stream was tombstoned and can never be used again.
	ErrStreamDeleted = errors.New("the stream was deleted for good")
	// ErrTooLarge: the append is larger than the store allows. Nothing was written.
	ErrTooLarge = errors.New("the append is larger than the event store allows")
)

// Filter picks events of the log; an empty field asks nothing. Events of the
// store itself, whose types begin with "$", never match.
type Filter struct {
	Category string
	Stream   StreamName
	Type     string
}

// Match says whether the filter picks an event.
func (f Filter) Match(s Stored) bool {
	return !strings.HasPrefix(s.Type, "$") &&
		(f.Category == "" || s.Stream.Category() == f.Category) &&
		(f.Stream == "" || s.Stream == f.Stream) &&
		(f.Type == "" || s.Type == f.Type)
}
