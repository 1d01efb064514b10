package projections

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings-io/tidings/internal/events"
)

const (
	lagEvery  = time.Second
	headEvery = 5 * lagEvery
)

// lag is how far the projection is behind, as far as it knows.
type lag struct {
	mu       sync.Mutex
	known    bool            // whether position is
	position events.Position // applied
	head     events.Position // last heard of
	oldest   time.Time       // of the events read and not applied; zero for none
	live     bool            // history has ended: what is not waiting here does not exist
}

// behind notes an event that is about to be applied.
func (l *lag) behind(oldest time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.oldest = oldest
}

// applied notes what was applied and what waits.
func (l *lag) applied(at events.Position, waiting *feed, caughtUp bool) {
	oldest, _ := waiting.oldest()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known, l.position, l.oldest = true, at, oldest
	l.head = max(l.head, at)
	l.live = l.live || caughtUp
}

// away notes that the log is not being read.
func (l *lag) away() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.live = false
}

func (l *lag) heard(head events.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.head = max(l.head, head)
}

// now is the lag in positions and in time.
func (l *lag) now() (positions events.Position, age time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.oldest.IsZero() {
		age = max(0, time.Since(l.oldest))
	}
	if !l.known || l.live && l.oldest.IsZero() {
		return 0, age
	}
	return l.head - l.position, age
}

// caughtUp says whether history has ended: from then on events are applied as they
// come.
func (l *lag) caughtUp() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.live
}

// ends is the log's last event as far as is known.
func (l *lag) ends() events.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head
}

// watchLag keeps the lag's metrics fresh, also while nothing else moves.
func (p *Inbox) watchLag(ctx context.Context) {
	var asked time.Time
	for sleep(ctx, lagEvery) {
		if time.Since(asked) >= headEvery {
			asked = time.Now()
			p.askHead(ctx)
		}
		positions, age := p.lag.now()
		p.metrics.lagEvents.WithLabelValues(inboxName).Set(float64(positions))
		p.metrics.lagSeconds.WithLabelValues(inboxName).Set(age.Seconds())
	}
}

func (p *Inbox) askHead(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	if head, err := p.Source.Head(ctx); err == nil { // else we keep what we heard last
		p.lag.heard(head)
	}
}

func (p *Inbox) gauge(g *prometheus.GaugeVec, on bool) { put(g, flag(on)) }
