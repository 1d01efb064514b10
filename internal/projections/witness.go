package projections

import (
	"time"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/tracing"
)

// witness tells the metrics, after a commit, when events became readable. A version that
// is folded beside the one that serves tells nobody, and neither do events that were
// there before the version was: how late it comes to them says nothing of how fast it is.
func (w *writer) witness(evs []events.Recorded, _ time.Time) {
	if w.silent != nil && w.silent() {
		return
	}
	now, latency := time.Now(), w.metrics.toInbox.WithLabelValues(inboxName)
	for i := range evs {
		if r := &evs[i]; !r.At.Before(w.born) && concernsInboxes(r.Event) {
			tracing.Observe(latency, max(0, now.Sub(r.At).Seconds()), tracing.SampledID(r.Metadata.TraceParent))
		}
	}
}

// concernsInboxes says whether an event is about what inboxes show.
func concernsInboxes(e events.Event) bool {
	switch e.(type) {
	case events.NotificationEvent, events.InboxEvent:
		return true
	default:
		return false
	}
}
