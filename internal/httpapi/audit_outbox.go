package httpapi

import (
	"context"
	"sync"

	"github.com/tidings-io/tidings/internal/events"
)

// outboxBytes are held for one reader of the log, and an event of at most a megabyte
// more: what a fast client takes in a millisecond. The same again is being written.
const outboxBytes = 256 << 10

// outbox stands between the goroutine that reads the log and the one that writes to
// the client. What the first has encoded waits in it, and is taken all at once. When it
// is full the first waits, and with it the store: memory is bounded however slow
// the client is.
type outbox struct {
	encode func([]byte, *auditEvent) []byte
	least  int // bytes that are worth a write; less is taken by who does not want to wait

	some chan struct{} // has one when it is time to take
	room chan struct{} // has one when something was taken
	over chan struct{} // closed when nothing comes any more

	mu     sync.Mutex
	parcel parcel
}

// parcel is what was taken at once.
type parcel struct {
	text   []byte
	events int
	// considered is how far the log was read: what the filter picked up to there is in
	// this parcel or an earlier one.
	considered events.Position
	caughtUp   bool  // everything the log held was considered
	ended      bool  // nothing comes after this
	err        error // why, if not because everything was said
}

func newOutbox(after events.Position, least int, encode func([]byte, *auditEvent) []byte) *outbox {
	return &outbox{
		encode: encode, least: least, some: make(chan struct{}, 1), room: make(chan struct{}, 1), over: make(chan struct{}),
		parcel: parcel{considered: after},
	}
}

// add encodes an event. It waits for room, and says false when ctx ends first.
func (o *outbox) add(ctx context.Context, e auditEvent) bool {
	o.mu.Lock()
	for len(o.parcel.text) >= outboxBytes {
		o.mu.Unlock()
		select {
		case <-o.room:
		case <-ctx.Done():
			return false
		}
		o.mu.Lock()
	}
	o.parcel.text = o.encode(o.parcel.text, &e)
	o.parcel.events++
	o.parcel.considered = e.Position
	enough := len(o.parcel.text) >= o.least
	o.mu.Unlock()
	if enough {
		wake(o.some)
	}
	return true
}

// pass remembers that an event, or all up to a checkpoint, is none of the filter's.
func (o *outbox) pass(at events.Position) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.parcel.considered = max(o.parcel.considered, at)
}

// catchUp remembers that everything the log held was considered.
func (o *outbox) catchUp() {
	o.mu.Lock()
	o.parcel.caughtUp = true
	o.mu.Unlock()
	wake(o.some)
}

// end says that nothing comes any more; nil: because everything was said. It is called
// once.
func (o *outbox) end(err error) {
	o.mu.Lock()
	o.parcel.ended, o.parcel.err = true, err
	o.mu.Unlock()
	wake(o.some)
	close(o.over)
}

// take takes what there is, perhaps nothing. What comes next is encoded into spare,
// whose content is given up.
func (o *outbox) take(spare []byte) parcel {
	o.mu.Lock()
	p := o.parcel
	o.parcel.text, o.parcel.events = spare[:0], 0
	o.mu.Unlock()
	wake(o.room)
	return p
}

// drain waits until nothing comes any more, and takes what is left. Whoever reads the
// log must have been told to stop.
func (o *outbox) drain() parcel {
	<-o.over
	return o.take(nil)
}

func wake(one chan struct{}) {
	select {
	case one <- struct{}{}:
	default: // who waits will look
	}
}

// keep is a buffer as far as it may be used again: a rare large event's is not.
func keep(buffer []byte) []byte {
	if cap(buffer) > 2*outboxBytes {
		return nil
	}
	return buffer
}
