package token

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// warnEvery is how often it is said again that the key set cannot be fetched.
const warnEvery = 5 * time.Minute

// report tells what becomes of fetches. Only the one who fetches uses it.
type report struct {
	logger  *slog.Logger
	fetches *prometheus.CounterVec

	failing    bool
	stale      bool // said that the keys are too old
	warned     time.Time
	saidSecret bool
}

// failed warns when fetches begin to fail, when the keys become too old because of that, and then seldom.
func (r *report) failed(err error, left *keys) {
	r.fetches.WithLabelValues(outcomeFailed).Inc()
	stale := left.usable() != nil
	if r.failing && stale == r.stale && time.Since(r.warned) < warnEvery {
		return
	}
	r.failing, r.stale, r.warned = true, stale, time.Now()
	if stale {
		r.logger.Warn("the key set cannot be fetched: tokens that need it are not verified", "error", err)
		return
	}
	r.logger.Warn("the key set cannot be fetched: the keys fetched before are used for a while", "error", err, "age", time.Since(left.fetched).Round(time.Second))
}

// fetched says what is new: that there are keys, or keys again, or other keys.
func (r *report) fetched(got document, old *keys) {
	r.fetches.WithLabelValues(outcomeFetched).Inc()
	fresh := &keys{list: got.keys}
	switch {
	case r.failing:
		r.logger.Info("the key set is fetched again", "keys", len(got.keys), "ignored", got.ignored)
	case !old.same(fresh):
		r.logger.Info("the key set has other keys", "keys", len(got.keys), "ignored", got.ignored)
	}
	r.failing, r.stale = false, false
	if got.secrets > 0 && !r.saidSecret {
		r.saidSecret = true
		r.logger.Warn("the key set has symmetric keys: they are ignored, since whoever can fetch a secret can make tokens with it", "ignored", got.secrets)
	}
}
