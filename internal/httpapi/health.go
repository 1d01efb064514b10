package httpapi

import (
	"context"
	"net/http"
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
	states := make([]dependency, len(a.ready))
	var asking sync.WaitGroup
	for i, check := range a.ready {
		asking.Go(func() { states[i] = check.state(r.Context()) })
	}
	asking.Wait()
	answer := readiness{Status: stateReady, Checks: make(map[string]dependency, len(states))}
	status := http.StatusOK
	for i, check := range a.ready {
		answer.Checks[check.Name] = states[i]
		if states[i].State != stateReady {
			answer.Status, status = stateAway, http.StatusServiceUnavailable
		}
	}
	return writeJSON(w, status, answer)
}

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
	show := promhttp.HandlerFor(a.gatherer, promhttp.HandlerOpts{})
	return func(w http.ResponseWriter, r *http.Request) error {
		show.ServeHTTP(w, r)
		return nil
	}
}
