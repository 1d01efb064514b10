package httpapi

import "github.com/prometheus/client_golang/prometheus"

// auditMetrics count what is read of the audit trail.
type auditMetrics struct {
	reads   *prometheus.CounterVec
	events  prometheus.Counter
	streams prometheus.Gauge
}

func newAuditMetrics() *auditMetrics {
	m := &auditMetrics{
		reads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_audit_reads_total", Help: "Reads of the audit trail begun, by kind.",
		}, []string{"kind"}),
		events: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidings_audit_events_total", Help: "Events sent to readers of the audit trail.",
		}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tidings_audit_streams", Help: "Readers that follow the audit trail now.",
		}),
	}
	for _, kind := range []string{auditPages, auditExports, auditStreams} {
		m.reads.WithLabelValues(kind)
	}
	return m
}

func (m *auditMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.reads, m.events, m.streams}
}
