package eventlog

import "sync"

const (
	defaultRingEvents = 8192
	// ringBytes bounds the payloads that the ring keeps alive.
	ringBytes = 16 << 20
)

// tail is the youngest end of the log: the head, who waits for it to move, and a ring of recent records, so that followers who keep up
// read memory. Older records are dropped whoever still wants them: those readers find them on disk.
type tail struct {
	mu     sync.RWMutex
	last   Position
	wake   chan struct{} // closed when last moves
	closed bool
	ring   []*Record // ring[p % len] holds position p, for first ≤ p ≤ last
	first  Position
	next   Position // the lowest that is free: head + 1, or more after a restoration or a loss
	bytes  int
}

// start begins after head; next is the lowest position that can be published.
func (t *tail) start(head, next Position, ringEvents int) {
	if ringEvents <= 0 {
		ringEvents = defaultRingEvents
	}
	t.last, t.first, t.next = head, next, next
	t.ring = make([]*Record, ringEvents)
	t.wake = make(chan struct{})
}

func (t *tail) head() Position {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.last
}

func (t *tail) free() Position {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.next
}

func (t *tail) moved() (Position, <-chan struct{}) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.last, t.wake
}

// publish makes committed records visible.
func (t *tail) publish(records []*Record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range records {
		for t.first < r.Position && (r.Position-t.first >= Position(len(t.ring)) || t.bytes > ringBytes) {
			t.bytes -= recordBytes(t.ring[t.slot(t.first)])
			t.ring[t.slot(t.first)] = nil
			t.first++
		}
		t.ring[t.slot(r.Position)] = r
		t.bytes += recordBytes(r)
		t.last, t.next = r.Position, r.Position+1
	}
	close(t.wake)
	t.wake = make(chan struct{})
}

func (t *tail) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.closed = true
		close(t.wake)
	}
}

func (t *tail) ended() bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.closed
}

// page returns what the ring has from a position on. It does not have it when ok is false.
func (t *tail) page(from Position, limit Limit) (records []*Record, ok bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if from > t.last {
		return nil, true
	}
	if from < t.first {
		return nil, false
	}
	n := min(int(t.last-from)+1, limit.Events) // bounded by the ring
	records = make([]*Record, 0, n)
	size := 0
	for p := from; len(records) < n && (size < limit.Bytes || len(records) == 0); p++ {
		r := t.ring[t.slot(p)]
		records = append(records, r)
		size += recordBytes(r)
	}
	return records, true
}

func (t *tail) slot(p Position) int { return int(p % Position(len(t.ring))) }

func recordBytes(r *Record) int {
	const head = 160 // the struct and its strings' and slices' own words
	return head + len(r.Stream) + len(r.Type) + len(r.Data) + len(r.Metadata)
}
