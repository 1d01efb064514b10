package live

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/tidings-io/tidings/internal/inbox"
	"github.com/tidings-io/tidings/internal/tracing"
)

// span is of one event, told to so many readers since it was read. One each would be a
// flood; when each was written to is in the metrics.
func (h *Hub) span(e *logged, began time.Time, readers int) {
	if tracing.SampledID(e.trace) == "" || !inbox.Concerns(e.event) {
		return
	}
	parent := trace.ContextWithRemoteSpanContext(context.Background(), tracing.Parse(e.trace))
	_, span := h.Tracer.Start(parent, "deliver "+e.event.Type(), trace.WithTimestamp(began), trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(tracing.Position(e.position), attribute.Int("tidings.readers", readers)))
	span.End()
}
