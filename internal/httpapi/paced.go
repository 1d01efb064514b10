package httpapi

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// gatherEvery is how often metrics are gathered at most: everybody may ask for them,
// and gathering costs milliseconds.
const gatherEvery = 100 * time.Millisecond

// paced gathers for all who ask at about the same time. Nobody is told what was so
// before they asked: who comes while something is gathered waits for the next time.
type paced struct {
	gatherer prometheus.Gatherer

	turn  chan struct{} // holds one while somebody gathers; guards what follows
	began time.Time
	all   []*dto.MetricFamily
	err   error
}

func newPaced(g prometheus.Gatherer) *paced {
	return &paced{gatherer: g, turn: make(chan struct{}, 1)}
}

// Gather implements prometheus.Gatherer. What it answers is shared and not changed.
func (p *paced) Gather() ([]*dto.MetricFamily, error) {
	asked := time.Now()
	p.turn <- struct{}{}
	defer func() { <-p.turn }()
	if !p.began.After(asked) {
		time.Sleep(time.Until(p.began.Add(gatherEvery)))
		p.began = time.Now()
		p.all, p.err = p.gatherer.Gather()
	}
	return p.all, p.err
}
