package live

import (
	"sync"
	"sync/atomic"

	"github.com/tidings-io/tidings/internal/events"
)

// reader is a follower's place in the hub: the frames that wait for it. The hub
// offers, the follower takes; neither waits for the other.
type reader struct {
	member *member // guarded by the hub's lock

	wake    chan struct{} // holds a token when there is something to take
	waiting *atomic.Int64 // frames in the queues of all readers

	mu     sync.Mutex
	cursor events.Position // everything up to here was queued, or was told before
	queue  []*Frame
	bytes  int
	lost   loss  // the queue was dropped
	ended  error // the hub ended
}

// loss is why a reader's queue was dropped.
type loss uint8

const (
	notLost    loss = iota
	overflowed      // it was full
	doubtful        // the hub had to forget what it was folded from
)

func newReader(cursor events.Position, waiting *atomic.Int64) *reader {
	return &reader{cursor: cursor, wake: make(chan struct{}, 1), waiting: waiting}
}

// offered is what became of a frame.
type offered uint8

const (
	queued offered = iota
	known          // at or below the reader's cursor: it was queued, or told, before
	full           // the queue is gone and the reader must be taken out of the maps
)

// offer queues a frame unless it is known, or the queue is full. One frame is always
// taken, however large.
func (r *reader) offer(f *Frame, maxFrames, maxBytes int) offered {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.Position <= r.cursor {
		return known
	}
	if n := len(r.queue); n > 0 && (n >= maxFrames || r.bytes+f.size() > maxBytes) {
		r.drop(overflowed)
		return full
	}
	r.queue = append(r.queue, f)
	r.waiting.Add(1)
	r.bytes += f.size()
	r.cursor = f.Position
	r.signal()
	return queued
}

// doubt drops what waits: it may not be so.
func (r *reader) doubt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(doubtful)
}

// drop needs mu.
func (r *reader) drop(why loss) {
	r.waiting.Add(-int64(len(r.queue)))
	r.queue, r.bytes, r.lost = nil, 0, why
	r.signal()
}

// take appends what waits to frames. After lost, or an error, nothing more comes.
func (r *reader) take(frames []*Frame) (_ []*Frame, lost loss, ended error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	frames = append(frames, r.queue...)
	r.waiting.Add(-int64(len(r.queue)))
	clear(r.queue) // so that a reader at rest holds on to no frame
	r.queue, r.bytes = r.queue[:0], 0
	return frames, r.lost, r.ended
}

// leave forgets what nobody will take any more.
func (r *reader) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting.Add(-int64(len(r.queue)))
	r.queue, r.bytes = nil, 0
}

// rest lets go of the queue's memory until it is needed again.
func (r *reader) rest() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) == 0 {
		r.queue = nil
	}
}

func (r *reader) end(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = err
	r.signal()
}

func (r *reader) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
