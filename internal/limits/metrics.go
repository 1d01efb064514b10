package limits

import "github.com/prometheus/client_golang/prometheus"

// metrics are what a Limiter counts. The counters are found once, so that a refusal looks nothing up.
type metrics struct {
	refused                                               [kinds]prometheus.Counter
	refusedQuota, refusedReaderUser, refusedReaderAddress prometheus.Counter
	failures                                              prometheus.Counter
	instances                                             prometheus.Gauge
}

func newMetrics(registerer prometheus.Registerer, buckets func() int) *metrics {
	refused := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tidings_limits_refused_total", Help: "What was refused because a limit was reached, by the limit's policy.",
	}, []string{"policy"})
	m := &metrics{
		refusedQuota:         refused.WithLabelValues(policyQuota),
		refusedReaderUser:    refused.WithLabelValues(policyReadersUser),
		refusedReaderAddress: refused.WithLabelValues(policyReadersAddress),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidings_limits_exchange_failures_total", Help: "Exchanges with the other instances that did not succeed.",
		}),
		instances: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tidings_limits_instances", Help: "Instances that share the limits, as last known; 0: not exchanged yet.",
		}),
	}
	for k, policy := range policies {
		m.refused[k] = refused.WithLabelValues(policy)
	}
	if registerer != nil {
		registerer.MustRegister(refused, m.failures, m.instances, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "tidings_limits_buckets", Help: "Token buckets held in memory.",
		}, func() float64 { return float64(buckets()) }))
	}
	return m
}
