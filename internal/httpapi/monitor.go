package httpapi

import (
	"log/slog"
	"net/http"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings-io/tidings/internal/pulse"
)

// Health serves /livez, /readyz and /metrics alone: the edge of a process that
// has no API. Loops are those that /livez judges by.
func Health(gatherer prometheus.Gatherer, loops *pulse.Loops, checks ...Check) (http.Handler, error) {
	a := &api{loops: loops, dependencies: newDependencies(checks, false, nil), gatherer: gatherer, newID: uuid.New, logger: slog.New(slog.DiscardHandler), bodyTimeout: bodyTimeout, writeTimeout: writeTimeout}
	routes := a.monitoring()
	var err error
	if a.metrics, err = newMetrics(nil, routes); err != nil {
		return nil, err
	}
	return a.edge(a.router(routes)), nil
}
