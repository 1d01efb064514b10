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
}

// checkTimeout is how long a dependency may take to say that it is there.
const checkTimeout = 2 * time.Second

// The states of a dependency, and of the whole.
const (
	stateReady = "ready"
	stateAway  = "away"
)

// readiness answers /readyz.
type readiness struct {
	Status string                `json:"status" enum:"ready,away"`
	Checks map[string]dependency `json:"checks" doc:"Every dependency by name."`
}

type dependency struct {
	State  string `json:"state" enum:"ready,away"`
	Reason string `json:"reason,omitempty"`
}

// liveness answers /livez.
type liveness struct {
	Status string `json:"status" enum:"live"`
}

func (a *api) livez(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, liveness{Status: "live"})
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

	turn   chan struct{} // holds one while somebody asks; guards what follows
	last   readiness
	asked  time.Time
	logged []string // the reasons logged last
}

func newDependencies(checks []Check, hidden bool, logger *slog.Logger) *dependencies {
	return &dependencies{checks: checks, hidden: hidden, logger: logger, turn: make(chan struct{}, 1)}
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
	for i, check := range d.checks {
		asking.Go(func() { states[i] = check.state(ctx) })
	}
	asking.Wait()
	answer := readiness{Status: stateReady, Checks: make(map[string]dependency, len(states))}
	var reasons []string
	for i, check := range d.checks {
		if states[i].State != stateReady {
			answer.Status = stateAway
			reasons = append(reasons, check.Name+": "+states[i].Reason)
		}
		if d.hidden && states[i].Reason != "" {
			states[i].Reason = hiddenReason
		}
		answer.Checks[check.Name] = states[i]
	}
	if d.hidden && !slices.Equal(reasons, d.logged) {
		d.logged = reasons
		if len(reasons) > 0 {
			d.logger.WarnContext(ctx, "not ready", "reasons", reasons)
		}
	}
	d.last, d.asked = answer, time.Now()
	return answer
}

// hiddenReason stands for reasons that are nobody's business.
const hiddenReason = "the log says why"

// state gives up on a dependency that does not answer, even one that does not
// mind its context.
func (c Check) state(ctx context.Context) dependency {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	answer := make(chan error, 1)
	go func() { answer <- c.Ask(ctx) }()
	select {
	case err := <-answer:
		if err != nil {
			return dependency{State: stateAway, Reason: err.Error()}
		}
		return dependency{State: stateReady}
	case <-ctx.Done():
		return dependency{State: stateAway, Reason: "no answer within " + checkTimeout.String()}
	}
}

func (a *api) showMetrics() endpoint {
	// OpenMetrics, for whoever asks for it, has the exemplars: ids of traces.
	show := promhttp.HandlerFor(newPaced(a.gatherer), promhttp.HandlerOpts{EnableOpenMetrics: true})
	return func(w http.ResponseWriter, r *http.Request) error {
		show.ServeHTTP(w, r)
		return nil
	}
}
