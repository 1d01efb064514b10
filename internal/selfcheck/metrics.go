package selfcheck

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are what a Job counts.
type Metrics struct {
	users       prometheus.Counter
	differences prometheus.Counter
	failures    prometheus.Counter
	last        prometheus.Gauge
	duration    prometheus.Gauge
}

// NewMetrics makes the metrics and registers them; a nil registerer keeps them to
// themselves.
func NewMetrics(registerer prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	m := &Metrics{
		users:       counter("tidings_selfcheck_users_total", "Users whose tables were compared with the log."),
		differences: counter("tidings_selfcheck_differences_total", "What differed between tables and log, each thing of a user once per round."),
		failures:    counter("tidings_selfcheck_failures_total", "Rounds of checking that could not be finished."),
		last:        gauge("tidings_selfcheck_last_timestamp_seconds", "When the last round was finished, in seconds since 1970; 0: none was."),
		duration:    gauge("tidings_selfcheck_duration_seconds", "How long the last round took that was finished."),
	}
	if registerer != nil {
		registerer.MustRegister(m.users, m.differences, m.failures, m.last, m.duration)
	}
	return m
}

func (m *Metrics) done(took time.Duration) {
	m.last.SetToCurrentTime()
	m.duration.Set(took.Seconds())
}
