package live

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings-io/tidings/internal/tracing"
)

// Reason is why a reader was let go.
type Reason string

// Why readers are let go. All but the first two are told where to go on.
const (
	TooSlow     Reason = "too_slow" // it did not catch up, or did not take a write in time
	Gone        Reason = "gone"     // it closed the connection, or the connection broke
	Aged        Reason = "age"      // its connection was as old as connections get
	Drained     Reason = "drained"  // the hub, or the whole process, ends
	Shut        Reason = "access"   // what it had shown to be let in is no longer good
	Unavailable Reason = "unavailable"
)

var reasons = []Reason{TooSlow, Gone, Aged, Drained, Shut, Unavailable}

// Metrics are the hub's figures. All of them start at 0.
type Metrics struct {
	connections prometheus.Gauge
	deliveries  map[string]prometheus.Counter
	latency     prometheus.Histogram
	overflows   prometheus.Counter
	dropped     *prometheus.CounterVec
	waiting     *atomic.Int64 // frames in queues
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
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_live_dropped_total", Help: "Readers let go, by why.",
		}, []string{"reason"}),
		waiting: new(atomic.Int64),
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
	for _, reason := range reasons {
		m.dropped.WithLabelValues(string(reason))
	}
	waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tidings_live_waiting_frames", Help: "Frames that wait for readers to take them, all readers together.",
	}, func() float64 { return float64(m.waiting.Load()) })
	if reg != nil {
		reg.MustRegister(m.connections, deliveries, m.latency, m.overflows, m.dropped, waiting, m.position, m.halted)
	}
	return m
}

// told counts a frame that has reached its reader.
func (m *Metrics) told(f *Frame, now time.Time) {
	m.deliveries[f.Event].Inc()
	if !f.At.IsZero() {
		tracing.Observe(m.latency, max(0, now.Sub(f.At).Seconds()), f.trace)
	}
}
