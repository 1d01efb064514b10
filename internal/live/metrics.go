package live

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the hub's figures. All of them start at 0.
type Metrics struct {
	connections prometheus.Gauge
	deliveries  map[string]prometheus.Counter
	latency     prometheus.Histogram
	overflows   prometheus.Counter
	position    prometheus.Gauge
	halted      prometheus.Gauge
}

// NewMetrics makes the figures and registers them, unless the registerer is nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	deliveries := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tidings_live_deliveries_total", Help: "Frames written to readers.",
	}, []string{"event"})
	m := &Metrics{
		connections: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tidings_live_connections", Help: "Readers connected now.",
		}),
		deliveries: make(map[string]prometheus.Counter),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "tidings_live_append_to_stream_seconds",
			Help:    "From the append of an event to the end of the write that told a connected reader.",
			Buckets: []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10},
		}),
		overflows: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidings_live_overflows_total", Help: "Readers that fell behind and had to catch up.",
		}),
		position: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tidings_live_position", Help: "The log position the hub has folded.",
		}),
		halted: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tidings_live_halted", Help: "1 while the hub is stopped at an event it cannot read.",
		}),
	}
	for _, event := range []string{EventMessage, EventState, EventRetracted} {
		m.deliveries[event] = deliveries.WithLabelValues(event)
	}
	if reg != nil {
		reg.MustRegister(m.connections, deliveries, m.latency, m.overflows, m.position, m.halted)
	}
	return m
}
