package esdb

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/tidings-io/tidings/internal/tracing"
)

type metrics struct {
	appends    prometheus.Histogram
	connected  prometheus.Gauge
	reconnects prometheus.Counter
}

func newMetrics(registerer prometheus.Registerer) (metrics, error) {
	m := metrics{
		appends: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "tidings_append_duration_seconds",
			Help:    "How long appends to the event store took, with their retries and whatever came of them.",
			Buckets: []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10},
		}),
		connected: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tidings_store_connected",
			Help: "Whether the event store answers: 1, or 0.",
		}),
		reconnects: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidings_store_reconnects_total",
			Help: "How often the event store was found again after it was lost.",
		}),
	}
	if registerer == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.appends, m.connected, m.reconnects} {
		if err := registerer.Register(c); err != nil {
			return m, fmt.Errorf("register the event store's metrics: %w", err)
		}
	}
	return m, nil
}

// append counts an append, with its trace.
func (m metrics) append(ctx context.Context, took time.Duration) {
	tracing.Observe(m.appends, took.Seconds(), tracing.Sampled(trace.SpanContextFromContext(ctx)))
}
