package live

import (
	"slices"
	"sort"
	"sync/atomic"
	"time"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/filter"
)

// logged is one event of the log that can concern somebody's inbox. It never
// changes, but for the frame made of it when first wanted, and what filters said.
type logged struct {
	position events.Position
	at       time.Time
	event    events.Event
	size     int
	trace    string            // its traceparent
	judged   *filter.Candidate // of a publish: what filters say of it; nil: there is nothing to judge

	shared atomic.Pointer[Frame] // what all who are not named by it are told
}

// loggedOverhead is what an event costs in memory besides its stored bytes, about.
const loggedOverhead = 256

// newLogged is the event as the hub keeps it, or nil for one that concerns no
// inbox.
func newLogged(r events.Recorded, storedBytes int) *logged {
	e := &logged{position: r.Position, at: r.At, event: r.Event, size: storedBytes + loggedOverhead, trace: r.Metadata.TraceParent}
	switch ev := r.Event.(type) {
	case events.Published:
		e.judged = filter.Of(ev)
	case events.SubscriptionEvent, events.NotificationEvent, events.InboxEvent, events.ContactEvent:
	case events.EventSkipped:
		if ev.Projection != projection {
			return nil
		}
	default:
		return nil
	}
	return e
}

// window is the newest stretch of the log: every event above begins that can
// concern an inbox, up to the hub's position. The hub's lock guards it; slices
// it has handed out stay valid and unchanged without the lock.
type window struct {
	maxEvents, maxBytes int

	begins events.Position
	kept   []*logged // only ever appended to; moved to a new array to let go of dropped events
	first  int       // kept[:first] are dropped
	bytes  int
}

func (w *window) add(e *logged) {
	w.kept = append(w.kept, e)
	w.bytes += e.size
	for len(w.kept)-w.first > w.maxEvents || w.bytes > w.maxBytes && len(w.kept)-w.first > 1 {
		dropped := w.kept[w.first]
		w.begins = dropped.position
		w.bytes -= dropped.size
		w.first++
	}
	if w.first > len(w.kept)/4+64 { // so that dropped events hold at most a third more memory
		w.kept = slices.Clone(w.kept[w.first:])
		w.first = 0
	}
}

// after is the events above the position, oldest first; ok is false when the
// window begins above it.
func (w *window) after(p events.Position) (rest []*logged, ok bool) {
	if p < w.begins {
		return nil, false
	}
	all := w.kept[w.first:len(w.kept):len(w.kept)]
	return all[sort.Search(len(all), func(i int) bool { return all[i].position > p }):], true
}
