package token

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Outcomes of fetching the key set.
const (
	outcomeFetched = "fetched"
	outcomeFailed  = "failed"
)

// newMetrics counts fetches, and tells of the keys that are in force.
func newMetrics(registerer prometheus.Registerer, s *keySet) (*prometheus.CounterVec, error) {
	fetches := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tidings_token_key_set_fetches_total",
		Help: "Fetches of the key set that verifies tokens, by outcome.",
	}, []string{"outcome"})
	for _, outcome := range []string{outcomeFetched, outcomeFailed} {
		fetches.WithLabelValues(outcome)
	}
	made := time.Now()
	age := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tidings_token_key_set_age_seconds",
		Help: "Time since the key set was last fetched, or since the start if it never was; 0 without one.",
	}, func() float64 {
		if s.none() {
			return 0
		}
		if fetched := s.keys.Load().fetched; !fetched.IsZero() {
			return time.Since(fetched).Seconds()
		}
		return time.Since(made).Seconds()
	})
	count := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tidings_token_key_set_keys",
		Help: "Keys of the key set that verify tokens.",
	}, func() float64 { return float64(len(s.keys.Load().list)) })
	if registerer == nil {
		return fetches, nil
	}
	for _, c := range []prometheus.Collector{fetches, age, count} {
		if err := registerer.Register(c); err != nil {
			return nil, fmt.Errorf("register the metrics of the key set: %w", err)
		}
	}
	return fetches, nil
}
