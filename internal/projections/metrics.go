package projections

import "github.com/prometheus/client_golang/prometheus"

// Metrics are shared by all projections of a program.
type Metrics struct {
	position      *prometheus.GaugeVec
	lagEvents     *prometheus.GaugeVec
	lagSeconds    *prometheus.GaugeVec
	batchEvents   prometheus.Histogram
	batchDuration prometheus.Histogram
	halted        *prometheus.GaugeVec
	active        *prometheus.GaugeVec
}

// NewMetrics makes the metrics and registers them; a nil registerer keeps them
// to themselves.
func NewMetrics(registerer prometheus.Registerer) *Metrics {
	byName := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"projection"})
	}
	m := &Metrics{
		position: byName("tidings_projection_position", "Log position the projection has applied everything up to."),
		lagEvents: byName("tidings_projection_lag_events", "How far the projection is behind the head of the log, in positions "+
			"(events, where the store counts its positions one by one); 0 when it has caught up."),
		lagSeconds: byName("tidings_projection_lag_seconds", "Age of the oldest event that was read and is not applied; 0 when there is none."),
		halted:     byName("tidings_projection_halted", "1 while the projection is halted at an event it cannot apply."),
		active:     byName("tidings_projection_active", "1 while this process is the one that applies events."),
		batchEvents: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tidings_projection_batch_events", Help: "Events applied in one transaction.",
			Buckets: []float64{1, 3, 10, 30, 100, 300, 1000, 3000, 10000},
		}),
		batchDuration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tidings_projection_batch_duration_seconds", Help: "Duration of one transaction.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}),
	}
	if registerer != nil {
		registerer.MustRegister(m.position, m.lagEvents, m.lagSeconds, m.halted, m.active, m.batchEvents, m.batchDuration)
	}
	return m
}

// begin makes every series of a projection, at 0.
func (m *Metrics) begin(projection string) {
	for _, gauge := range []*prometheus.GaugeVec{m.position, m.lagEvents, m.lagSeconds, m.halted, m.active} {
		gauge.WithLabelValues(projection).Set(0)
	}
}
