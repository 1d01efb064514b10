package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Check asks one dependency whether it is there.
type Check struct {
	Name string
	Ask  func(context.Context) error
	// Lag says how far it is behind the log, whatever Ask has answered; nil: it is
	// nothing that can be behind. The error is why that is not known.
	Lag func(context.Context) (Lag, error)
}

// Lag is how far a read model is behind the log. Being behind takes nobody out of
// service: answers are older than they should be, not wrong, and all instances lag
// alike.
type Lag struct {
	Events   int64         // positions
	Age      time.Duration // of the oldest event that is not in it; 0 where there is none
	Building bool          // it has never been complete yet
	Reason   string        // why it is behind; "" where it is not
}

// checkTimeout is how long a dependency may take to say that it is there.
const checkTimeout = 2 * time.Second

// The states of a dependency. The whole is ready or away: what is behind or is being
// built is there.
const (
	stateReady    = "ready"
	stateBehind   = "behind"
	stateBuilding = "building"
	stateAway     = "away"
)

// readiness answers /readyz.
type readiness struct {
	Status string                `json:"status" enum:"ready,away"`
	Checks map[string]dependency `json:"checks" doc:"Every dependency by name."`
}

type dependency struct {
	State      string   `json:"state" enum:"ready,behind,building,away" doc:"behind and building (for the first time) are ready all the same: answers are older than they should be."`
	Reason     string   `json:"reason,omitempty"`
	LagEvents  *int64   `json:"lag_events,omitempty" doc:"How far a read model is behind the log, in positions; absent where it is not known."`
	LagSeconds *float64 `json:"lag_seconds,omitempty" doc:"Age of the oldest event that is not in it; 0 where there is none."`
}

func (a *api) readyz(w http.ResponseWriter, r *http.Request) error {
	answer := a.dependencies.look(r.Context())
	status := http.StatusOK
	if answer.Status != stateReady {
		status = http.StatusServiceUnavailable
	}
	return writeJSON(w, status, answer)
}

// lookFor is how long an answer of /readyz stands: everybody may ask, and what is
// asked of the dependencies is not for everybody to make more of.
const lookFor = 200 * time.Millisecond

// dependencies asks its checks for all who ask at about the same time.
type dependencies struct {
	checks []Check
	// hidden keeps reasons, which name addresses within, from those who ask; the log
	// has them.
	hidden bool
	logger *slog.Logger

	turn    chan struct{} // holds one while somebody asks; guards what follows
	last    readiness
	asked   time.Time
	logged  []string          // the reasons logged last
	waiting []chan dependency // for the answer of a check that did not come in time; nil: for none
}

func newDependencies(checks []Check, hidden bool, logger *slog.Logger) *dependencies {
	return &dependencies{
		checks: checks, hidden: hidden, logger: logger,
		turn: make(chan struct{}, 1), waiting: make([]chan dependency, len(checks)),
	}
}

// look waits for checks that others began. It asks them for all of these, whether
// the first of them waits or not.
func (d *dependencies) look(ctx context.Context) readiness {
	d.turn <- struct{}{}
	defer func() { <-d.turn }()
	if time.Since(d.asked) < lookFor {
		return d.last
	}
	ctx = context.WithoutCancel(ctx)
	states := make([]dependency, len(d.checks))
	var asking sync.WaitGroup
	for i := range d.checks {
		asking.Go(func() { states[i] = d.ask(ctx, i) })
	}
	asking.Wait()
	answer := readiness{Status: stateReady, Checks: make(map[string]dependency, len(states))}
	var reasons []string
	for i, check := range d.checks {
		if states[i].State == stateAway {
			answer.Status = stateAway
		}
		if states[i].Reason != "" {
			reasons = append(reasons, check.Name+": "+states[i].Reason)
		}
		if d.hidden && states[i].Reason != "" {
			states[i].Reason = hiddenReason
		}
		answer.Checks[check.Name] = states[i]
	}
	if d.hidden && !slices.Equal(reasons, d.logged) {
		d.logged = reasons
		switch {
		case len(reasons) == 0:
		case answer.Status == stateReady:
			d.logger.WarnContext(ctx, "ready, but behind", "reasons", reasons)
		default:
			d.logger.WarnContext(ctx, "not ready", "reasons", reasons)
		}
	}
	d.last, d.asked = answer, time.Now()
	return answer
}

// hiddenReason stands for reasons that are nobody's business.
const hiddenReason = "the log says why"

// ask gives up on a dependency that does not answer, even one that does not mind its
// context; that one is not asked again before it has answered.
func (d *dependencies) ask(ctx context.Context, i int) dependency {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	answer := d.waiting[i]
	select {
	case <-answer: // it is about the time when it was asked for
		answer = nil
	default:
	}
	if answer == nil {
		answer = make(chan dependency, 1)
		go func() { answer <- d.checks[i].state(ctx) }()
	}
	select {
	case found := <-answer:
		d.waiting[i] = nil
		return found
	case <-ctx.Done():
		d.waiting[i] = answer
		return dependency{State: stateAway, Reason: "no answer within " + checkTimeout.String()}
	}
}

// state puts together what a dependency says of itself.
func (c Check) state(ctx context.Context) dependency {
	found := dependency{State: stateReady}
	err := c.Ask(ctx)
	if c.Lag != nil {
		found = c.lag(ctx)
	}
	if err != nil {
		found.State, found.Reason = stateAway, err.Error()
	}
	return found
}

func (c Check) lag(ctx context.Context) dependency {
	found := dependency{State: stateReady}
	lag, err := c.Lag(ctx)
	if err != nil {
		found.Reason = "how far it is behind is not known: " + err.Error()
		return found
	}
	seconds := max(0, lag.Age.Seconds())
	found.LagEvents, found.LagSeconds, found.Reason = &lag.Events, &seconds, lag.Reason
	switch {
	case lag.Building:
		found.State = stateBuilding
	case lag.Reason != "":
		found.State = stateBehind
	}
	return found
}

func (a *api) showMetrics() endpoint {
	// OpenMetrics, for whoever asks for it, has the exemplars: ids of traces.
	show := promhttp.HandlerFor(newPaced(a.gatherer), promhttp.HandlerOpts{EnableOpenMetrics: true})
	return func(w http.ResponseWriter, r *http.Request) error {
		show.ServeHTTP(w, r)
		return nil
	}
}
