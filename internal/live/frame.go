package live

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
	"github.com/tidings-io/tidings/internal/tracing"
)

// The kinds of frames.
const (
	EventMessage   = "message"   // an inbox.Item
	EventState     = "state"     // an inbox.Change
	EventRetracted = "retracted" // {"id"}
)

// Frame is one thing a stream tells its reader, encoded. Frames are shared
// between readers and never changed.
type Frame struct {
	Event    string // one of the constants above
	Position events.Position
	Data     []byte // JSON on one line
	// At is when the event was appended, for frames told as they happened; zero for
	// what was caught up with.
	At time.Time

	trace   string     // the id of the trace it is told in; "": none that is kept
	item    uuid.UUID  // the notification, of a message
	expires *time.Time // nil: never
}

// frameOverhead is what a frame costs besides its data, about: the struct, its
// place in a queue and the words around it on the wire.
const frameOverhead = 160

func (f *Frame) size() int { return len(f.Data) + frameOverhead }

func (f *Frame) expired(now time.Time) bool {
	return f.expires != nil && !now.Before(*f.expires)
}

// entryFrame encodes an entry of history.
func entryFrame(e inbox.Entry) *Frame {
	switch {
	case e.Item != nil:
		return itemFrame(*e.Item)
	case e.Change != nil:
		return changeFrame(e.Position, *e.Change)
	default:
		return retractedFrame(e.Position, *e.Retracted)
	}
}

func itemFrame(item inbox.Item) *Frame {
	return &Frame{
		Event: EventMessage, Position: item.Position, Data: encode(item),
		item: item.ID, expires: item.ExpiresAt,
	}
}

func changeFrame(at events.Position, c inbox.Change) *Frame {
	return &Frame{Event: EventState, Position: at, Data: encode(c)}
}

func retractedFrame(at events.Position, id uuid.UUID) *Frame {
	return &Frame{Event: EventRetracted, Position: at, Data: encode(struct {
		ID uuid.UUID `json:"id"`
	}{id})}
}

// encode cannot fail: what is in a frame came out of JSON.
func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("live: encode %T: %v", v, err))
	}
	return data
}

// frame is what the event tells a user, who is known to be concerned. All who
// are told the same share one frame.
func (e *logged) frame(user events.User) *Frame {
	if p, ok := e.event.(events.Published); ok && slices.Contains(p.To, events.Target{User: user}) {
		return e.encode(user)
	}
	if f := e.shared.Load(); f != nil {
		return f
	}
	f := e.encode("")
	e.shared.Store(f) // two may do so at once; their frames are equal
	return f
}

func (e *logged) encode(user events.User) *Frame {
	var f *Frame
	switch ev := e.event.(type) {
	case events.Published:
		f = itemFrame(inbox.NewItem(events.Recorded{Position: e.position, At: e.at}, ev, user))
	case events.Retracted:
		f = retractedFrame(e.position, ev.NotificationID)
	case events.InboxEvent:
		f = changeFrame(e.position, inbox.NewChange(ev))
	default:
		panic(fmt.Sprintf("live: %T tells nobody anything", e.event))
	}
	f.At, f.trace = e.at, tracing.SampledID(e.trace)
	return f
}
