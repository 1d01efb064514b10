package projections

import (
	"context"
	"fmt"
	"time"

	"github.com/tidings-io/tidings/internal/events"
)

// tellEvery is how often the registry is written.
const tellEvery = time.Second

// The states of a version beside those of an inbox.
const (
	stateBuilding State = "building" // folded for the first time, not caught up yet
	stateReady    State = "ready"    // caught up, and held
	stateKept     State = "kept"     // replaced, not folded
)

// told is what the registry is told of a version.
type told struct {
	version   int
	state     State
	reason    string
	halted    int64
	position  int64 // negative: as it was
	head      int64
	lagEvents int64
	lag       float64 // seconds
	folded    int64
	rate      float64 // events a second
	left      float64 // seconds; negative: not known
	caughtUp  bool
}

// tell says what is going on: at once to those who ask this process, and about once
// a second in the registry.
func (l *leader) tell(ctx context.Context) error {
	l.enter(l.state())
	put(l.metrics.paused, flag(l.orders.paused))
	if time.Since(l.told) < tellEvery {
		return nil
	}
	l.told = time.Now()
	all := make([]told, 0, len(l.versions))
	for _, v := range l.versions {
		all = append(all, l.tells(v))
	}
	l.measure(all)
	err := exec(ctx, l.conn, sqlVersionsUpdate,
		column(all, func(t told) int { return t.version }),
		column(all, func(t told) string { return string(t.state) }),
		column(all, func(t told) string { return text(t.reason) }),
		column(all, func(t told) int64 { return t.halted }),
		column(all, func(t told) int64 { return t.position }),
		column(all, func(t told) int64 { return t.head }),
		column(all, func(t told) int64 { return t.lagEvents }),
		column(all, func(t told) float64 { return t.lag }),
		column(all, func(t told) int64 { return t.folded }),
		column(all, func(t told) float64 { return t.rate }),
		column(all, func(t told) float64 { return t.left }),
		column(all, func(t told) bool { return t.caughtUp }))
	if err != nil {
		return fmt.Errorf("write down how far the versions are: %w", err)
	}
	return nil
}

// state is the projection's as a whole: that of the version that serves.
func (l *leader) state() Status {
	if l.orders.paused {
		return Status{State: StatePaused, Reason: "an operator has paused it"}
	}
	v := l.serving()
	s := v.status()
	if s.State == StateStopped {
		s.State = StateStarting
	}
	if v != nil && v.run != nil {
		s.Building = !v.built && !v.current()
		s.LagEvents, s.Lag = v.run.inbox.lag.now()
	}
	return s
}

func (l *leader) tells(v *version) told {
	t := told{version: v.number, state: stateKept, reason: v.reason, position: -1, left: -1}
	if v.run == nil {
		if l.wants(v.number) && l.orders.paused {
			t.state = StatePaused
		}
		return t
	}
	inbox := v.run.inbox
	s := inbox.Status()
	behind, lag := inbox.lag.now()
	head := max(inbox.lag.ends(), s.Position)
	v.run.pace.observe(time.Now(), inbox.folded.Load(), uint64(s.Position))
	t.state, t.halted, t.head = s.State, number(s.Halted), number(head)
	if t.lagEvents, t.lag = number(behind), lag.Seconds(); s.Reason != "" {
		t.reason = s.Reason
	}
	if s.Position > 0 { // else it is not known yet
		t.position = number(s.Position)
	}
	t.folded, t.rate, t.left = v.run.pace.folded, v.run.pace.events, v.run.pace.left(uint64(s.Position), uint64(head))
	t.caughtUp = v.current()
	if s.State == StateRunning && !v.serving {
		t.state = stateReady
		if !v.built && !t.caughtUp {
			t.state = stateBuilding
		}
	}
	return t
}

func number(at events.Position) int64 { return int64(at) } //nolint:gosec // at most MaxPosition

// measure keeps the metrics of who leads.
func (l *leader) measure(all []told) {
	var rebuild told
	for _, t := range all {
		v := l.versions[t.version]
		if v.serving {
			put(l.metrics.serving, float64(t.version))
			put(l.metrics.lagEvents, float64(t.lagEvents))
			put(l.metrics.lagSeconds, t.lag)
		} else if v.run != nil && t.version > rebuild.version {
			rebuild = t
		}
	}
	put(l.metrics.rebuild, float64(rebuild.version))
	put(l.metrics.rate, rebuild.rate)
	put(l.metrics.left, max(0, rebuild.left))
	progress := 0.0
	if rebuild.head > 0 {
		progress = min(1, float64(max(0, rebuild.position))/float64(rebuild.head))
	}
	put(l.metrics.progress, progress)
	differ := int64(0)
	for _, v := range l.versions {
		if v.reported >= 0 && (v.number == rebuild.version || v.serving) {
			differ = v.differ
		}
	}
	put(l.metrics.differ, float64(differ))
}
