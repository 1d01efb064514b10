// Package pulse tells loops that are stuck from loops that wait.
//
// A loop that must keep moving for its process to be of use has a Pulse. It is at
// work, or it rests: it waits for somebody else, who may be away for ever. Only
// work that does not end says that the process is wedged. Every method may be called
// from any goroutine, costs nanoseconds, and does nothing on nil.
package pulse

import (
	"sync"
	"sync/atomic"
	"time"
)

// Pulse is one loop's. The zero value rests.
type Pulse struct {
	since atomic.Int64 // when the present work began, as moment has it; 0: it rests
}

// began is what moments are counted from: by the monotonic clock, so that a clock
// that is set shows nobody as stuck.
var began = time.Now()

// moment is never 0.
func moment() int64 { return int64(time.Since(began)) | 1 }

// Beat says that the loop moves: what it was at has ended, and more begins.
func (p *Pulse) Beat() {
	if p != nil {
		p.since.Store(moment())
	}
}

// Rest says that the loop waits for somebody else.
func (p *Pulse) Rest() {
	if p != nil {
		p.since.Store(0)
	}
}

// Stuck is for how long the loop has been at what it does; 0 while it rests.
func (p *Pulse) Stuck() time.Duration {
	if p == nil {
		return 0
	}
	since := p.since.Load()
	if since == 0 {
		return 0
	}
	return max(0, time.Duration(moment()-since))
}

// Loops are those of a process, by name. The zero value has none.
type Loops struct {
	mu     sync.Mutex
	pulses map[string]*Pulse
}

// Begin is the pulse of a loop that begins, and rests; it takes the place of one of
// the same name.
func (l *Loops) Begin(name string) *Pulse {
	if l == nil {
		return nil
	}
	p := new(Pulse)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pulses == nil {
		l.pulses = make(map[string]*Pulse)
	}
	l.pulses[name] = p
	return p
}

// End forgets a loop, unless another one has taken its place.
func (l *Loops) End(name string, p *Pulse) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pulses[name] == p {
		delete(l.pulses, name)
	}
}

// Stuck are the loops that have been at the same work for longer than a limit, and
// for how long.
func (l *Loops) Stuck(limit time.Duration) map[string]time.Duration {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var stuck map[string]time.Duration
	for name, p := range l.pulses {
		if d := p.Stuck(); d > limit {
			if stuck == nil {
				stuck = make(map[string]time.Duration)
			}
			stuck[name] = d
		}
	}
	return stuck
}
