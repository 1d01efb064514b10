package projections

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
	"github.com/tidings-io/tidings/internal/tracing"
)

// witness tells metrics and traces, after a commit, when events became readable. A version
// that is folded beside the one that serves tells nobody, and neither do events that were
// there before the version was: how late it comes to them says nothing of how fast it is.
func (w *writer) witness(evs []events.Recorded, began time.Time) {
	if w.silent != nil && w.silent() {
		return
	}
	now, latency := time.Now(), w.metrics.toInbox.WithLabelValues(inboxName)
	for i := range evs {
		r := &evs[i]
		if r.At.Before(w.born) {
			continue
		}
		traceID := tracing.SampledID(r.Metadata.TraceParent)
		if inbox.Concerns(r.Event) {
			tracing.Observe(latency, max(0, now.Sub(r.At).Seconds()), traceID)
		}
		if w.tracer != nil && traceID != "" {
			w.span(r, began, now, len(evs))
		}
	}
}

// span is made when all is over, so that a batch that is rolled back and applied in parts
// leaves no half of one.
func (w *writer) span(r *events.Recorded, began, ended time.Time, batch int) {
	parent := trace.ContextWithRemoteSpanContext(context.Background(), tracing.Parse(r.Metadata.TraceParent))
	_, span := w.tracer.Start(parent, "project "+r.Event.Type(), trace.WithTimestamp(began), trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(tracing.Stream(r.Stream), tracing.Position(r.Position), attribute.Int("tidings.batch_events", batch)))
	span.End(trace.WithTimestamp(ended))
}
