package httpapi

import (
	"net/http"
	"time"
)

// wedgedAfter is how long a loop of this process may be at one and the same piece of
// work before /livez says that the process had better be killed. All such work is
// done in milliseconds, and what waits for others does not count, so that a minute is
// no machine that is merely slow; and who restarts too soon adds an outage to whatever
// made it slow.
const wedgedAfter = time.Minute

// The states of the process itself.
const (
	stateLive   = "live"
	stateWedged = "wedged"
)

// liveness answers /livez.
type liveness struct {
	Status string             `json:"status" enum:"live,wedged"`
	Stuck  map[string]float64 `json:"stuck,omitempty" doc:"Loops of this process that do not move, by name, and for how many seconds."`
}

// livez looks at this process alone: what it needs of others is for /readyz.
func (a *api) livez(w http.ResponseWriter, _ *http.Request) error {
	stuck := a.loops.Stuck(wedgedAfter)
	if len(stuck) == 0 {
		return writeJSON(w, http.StatusOK, liveness{Status: stateLive})
	}
	answer := liveness{Status: stateWedged, Stuck: make(map[string]float64, len(stuck))}
	for name, d := range stuck {
		answer.Stuck[name] = d.Seconds()
	}
	return writeJSON(w, http.StatusServiceUnavailable, answer)
}
