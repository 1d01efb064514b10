package live

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/tracing"
)

// span is of one event, told to so many readers since it was read. One each would be a
// flood; when each was written to is in the metrics.
func (h *Hub) span(e *logged, began time.Time, readers int) {
	if tracing.SampledID(e.trace) == "" || !tells(e.event) {
		return
	}
	parent := trace.ContextWithRemoteSpanContext(context.Background(), tracing.Parse(e.trace))
	_, span := h.Tracer.Start(parent, "deliver "+e.event.Type(), trace.WithTimestamp(began), trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(tracing.Position(e.position), attribute.Int("tidings.readers", readers)))
	span.End()
}

// tells says whether an event is one that readers are told of.
func tells(e events.Event) bool {
	switch e.(type) {
	case events.NotificationEvent, events.InboxEvent:
		return true
	default:
		return false
	}
}
