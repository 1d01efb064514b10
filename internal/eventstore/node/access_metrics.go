package node

import "github.com/prometheus/client_golang/prometheus"

// newLogins counts what callers are told when they are asked who they are; it also registers when the certificate ends.
func newLogins(o Options) *prometheus.CounterVec {
	logins := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tidings_node_logins_total",
		Help: "Calls whose user and password were checked, by outcome.",
	}, []string{"outcome"})
	for _, outcome := range []string{outcomeAccepted, outcomeRefused, outcomeBusy} {
		logins.WithLabelValues(outcome)
	}
	if o.Registerer != nil {
		expiry := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "tidings_node_certificate_expiry_seconds",
			Help: "When the certificate in use ends, in seconds since 1970; 0 without one.",
		}, func() float64 {
			if o.Certificate == nil {
				return 0
			}
			return float64(o.Certificate.Expires().Unix())
		})
		o.Registerer.MustRegister(logins, expiry)
	}
	return logins
}
