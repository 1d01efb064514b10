package httpapi

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings-io/tidings/internal/tracing"
)

// metrics counts requests and commands. Labels come from closed sets: the route
// table, the methods and codes it knows, the commands and outcomes.
type metrics struct {
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	commands  *prometheus.CounterVec
	audits    *auditMetrics
}

// otherRoute and otherMethod stand for everything that is on no route.
const (
	otherRoute  = "none"
	otherMethod = "other"
)

func newMetrics(registerer prometheus.Registerer, routes []route) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_http_requests_total", Help: "Requests answered, by route, method and status.",
		}, []string{"route", "method", "code"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tidings_http_request_duration_seconds", Help: "Time from a request's headers to its answer, streams left out.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"route"}),
		commands: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_commands_total", Help: "Commands decided, by what became of them.",
		}, []string{"command", "outcome"}),
		audits: newAuditMetrics(),
	}
	m.begin(routes)
	if registerer == nil {
		return m, nil
	}
	for _, c := range append(m.audits.collectors(), m.requests, m.durations, m.commands) {
		if err := registerer.Register(c); err != nil {
			return nil, fmt.Errorf("register the metrics of the HTTP API: %w", err)
		}
	}
	return m, nil
}

// begin makes every series that can be foreseen start at 0, so that a rate sees
// the first of each.
func (m *metrics) begin(routes []route) {
	for _, rt := range routes {
		for status := range rt.statuses() {
			m.requests.WithLabelValues(rt.pattern, rt.method, strconv.Itoa(status))
		}
		if !rt.stream {
			m.durations.WithLabelValues(rt.pattern)
		}
		for _, command := range rt.commands {
			for _, outcome := range outcomes {
				m.commands.WithLabelValues(command, outcome)
			}
		}
	}
	for _, method := range append(slices.Clone(methods), otherMethod) {
		for _, status := range []int{http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusMisdirectedRequest} {
			m.requests.WithLabelValues(otherRoute, method, strconv.Itoa(status))
		}
	}
}

func (m *metrics) request(w *recorder, method string, took time.Duration) {
	route := w.routeName()
	if !slices.Contains(methods, method) {
		method = otherMethod
	}
	m.requests.WithLabelValues(route, method, strconv.Itoa(w.final())).Inc()
	if route != otherRoute && route != streamPattern && route != auditStreamPattern {
		tracing.Observe(m.durations.WithLabelValues(route), took.Seconds(), tracing.Sampled(w.span))
	}
}

func (m *metrics) command(name, outcome string) {
	m.commands.WithLabelValues(name, outcome).Inc()
}
