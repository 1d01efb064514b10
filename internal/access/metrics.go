package access

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	outcomeAccepted    = "accepted"
	outcomeRefused     = "refused"
	outcomeUnavailable = "unavailable"
)

func outcome(err error) string {
	var refused *Refused
	switch {
	case err == nil:
		return outcomeAccepted
	case errors.As(err, &refused):
		return outcomeRefused
	default:
		return outcomeUnavailable
	}
}

// count makes the metrics, every series of which starts at 0.
func (a *Authority) count(registerer prometheus.Registerer) error {
	a.asked = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tidings_access_credentials_total", Help: "Credentials that requests showed, by what became of them.",
	}, []string{"outcome"})
	for _, o := range []string{outcomeAccepted, outcomeRefused, outcomeUnavailable} {
		a.asked.WithLabelValues(o)
	}
	if registerer == nil {
		return nil
	}
	if err := registerer.Register(a.asked); err != nil {
		return fmt.Errorf("register the metrics of access control: %w", err)
	}
	return nil
}
