package projections

import (
	"fmt"
	"time"

	"github.com/tidings-io/tidings/internal/events"
)

// State says what a projection is doing.
type State string

// The states of a projection. Only Running and Standby are healthy; Starting is
// on its way there.
const (
	StateStarting           State = "starting"
	StateWaitingForDatabase State = "waiting for database"
	StateWaitingForStore    State = "waiting for store"
	StateStandby            State = "standby" // another process applies events
	StateRunning            State = "running"
	StateHalted             State = "halted" // at an event, or at a checkpoint, that needs an operator
	StatePaused             State = "paused" // by order
	StateStopped            State = "stopped"
)

// Status is what a projection says of itself.
type Status struct {
	State State
	// Position is the checkpoint last seen: everything up to it is in the tables.
	Position events.Position
	// Reason says why, where the state is not as one would wish.
	Reason string
	// Halted is the position of the event that cannot be applied; 0 where it is not
	// an event that halts the projection.
	Halted events.Position
	// Building says that what is being folded has never been complete yet.
	Building bool
	// LagEvents and Lag are how far it is behind the log, in positions and by the age
	// of the oldest event that was read; known only while it runs.
	LagEvents events.Position
	Lag       time.Duration
}

// Status may be called at any time, from anywhere.
func (p *Inbox) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.status.State == "" {
		return Status{State: StateStopped}
	}
	return p.status
}

func (p *Inbox) enter(state State, reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status.State, p.status.Reason, p.status.Halted = state, reason, 0
	p.gauge(p.metrics.active, state == StateRunning)
	p.gauge(p.metrics.halted, state == StateHalted)
}

func (p *Inbox) enterHalt(why *unappliable) {
	p.enter(StateHalted, fmt.Sprintf("at position %s: %s", why.at, why.reason()))
	if why.event != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.status.Halted = why.at
	}
}

func (p *Inbox) reached(at events.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status.Position = at
	p.metrics.position.WithLabelValues(inboxName).Set(float64(at))
}
