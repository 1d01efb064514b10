package tracing

import "github.com/prometheus/client_golang/prometheus"

// exemplarLabel is what Grafana follows to a trace by.
const exemplarLabel = "trace_id"

// Observe observes, with the trace's id as the exemplar; "": without one.
func Observe(o prometheus.Observer, value float64, traceID string) {
	if with, can := o.(prometheus.ExemplarObserver); can && traceID != "" {
		with.ObserveWithExemplar(value, prometheus.Labels{exemplarLabel: traceID})
		return
	}
	o.Observe(value)
}
