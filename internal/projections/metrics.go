package projections

import "github.com/prometheus/client_golang/prometheus"

// Metrics are shared by all projections of a program.
type Metrics struct {
	position      *prometheus.GaugeVec
	lagEvents     *prometheus.GaugeVec
	lagSeconds    *prometheus.GaugeVec
	batchEvents   prometheus.Histogram
	batchDuration prometheus.Histogram
	toInbox       *prometheus.HistogramVec
	halted        *prometheus.GaugeVec
	active        *prometheus.GaugeVec

	cleaned  *prometheus.CounterVec
	serving  *prometheus.GaugeVec
	paused   *prometheus.GaugeVec
	rebuild  *prometheus.GaugeVec // its version
	progress *prometheus.GaugeVec
	rate     *prometheus.GaugeVec
	left     *prometheus.GaugeVec
	differ   *prometheus.GaugeVec
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
		serving:    byName("tidings_projection_serving_version", "Which version readers are answered from; 0 where this process does not lead."),
		paused:     byName("tidings_projection_paused", "1 while an operator has the projection paused."),
		rebuild:    byName("tidings_projection_rebuild_version", "Which version is being folded beside the one that serves; 0 when there is none."),
		progress:   byName("tidings_projection_rebuild_progress_ratio", "How far the rebuild has come, of the log as it is now: 0 to 1; 0 when there is none."),
		rate:       byName("tidings_projection_rebuild_rate_events", "Events the rebuild folds in a second; 0 when there is none."),
		left:       byName("tidings_projection_rebuild_left_seconds", "How long the rebuild will take yet at its present speed; 0 when there is none, or that is not known."),
		differ:     byName("tidings_projection_parity_differing_users", "Users whose inbox or subscriptions the last rebuild would change, or has changed."),
		batchEvents: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tidings_projection_batch_events", Help: "Events applied in one transaction.",
			Buckets: []float64{1, 3, 10, 30, 100, 300, 1000, 3000, 10000},
		}),
		batchDuration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tidings_projection_batch_duration_seconds", Help: "Duration of one transaction.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}),
	}
	m.cleaned = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tidings_projection_cleaned_rows_total", Help: "Rows deleted that retention, expiry or retraction had hidden for long.",
	}, []string{"projection"})
	m.toInbox = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "tidings_projection_append_to_inbox_seconds",
		Help:    "From the append of an event that concerns inboxes to the commit that made it readable there.",
		Buckets: []float64{.0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
	}, []string{"projection"})
	if registerer != nil {
		registerer.MustRegister(m.batchEvents, m.batchDuration, m.cleaned, m.toInbox)
		for _, gauge := range m.gauges() {
			registerer.MustRegister(gauge)
		}
	}
	return m
}

func (m *Metrics) gauges() []*prometheus.GaugeVec {
	return []*prometheus.GaugeVec{
		m.position, m.lagEvents, m.lagSeconds, m.halted, m.active,
		m.serving, m.paused, m.rebuild, m.progress, m.rate, m.left, m.differ,
	}
}

// begin makes every series of a projection, at 0.
func (m *Metrics) begin(projection string) {
	for _, gauge := range m.gauges() {
		gauge.WithLabelValues(projection).Set(0)
	}
	m.cleaned.WithLabelValues(projection)
	m.toInbox.WithLabelValues(projection)
}

// ofVersion are metrics for one version of several: what all do together is counted
// together, and what each is at is said by who runs them.
func (m *Metrics) ofVersion() *Metrics {
	own := NewMetrics(nil)
	own.batchEvents, own.batchDuration, own.cleaned, own.toInbox = m.batchEvents, m.batchDuration, m.cleaned, m.toInbox
	return own
}

// show says what the version that serves is at.
func (m *Metrics) show(s Status) {
	put(m.active, flag(s.State == StateRunning))
	put(m.halted, flag(s.State == StateHalted))
	put(m.paused, flag(s.State == StatePaused))
	put(m.position, float64(s.Position))
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

func put(g *prometheus.GaugeVec, value float64) { g.WithLabelValues(inboxName).Set(value) }
