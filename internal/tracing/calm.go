package tracing

import (
	"context"
	"log/slog"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// calm exports spans, and says once that it cannot, and once that it can again. It is
// called for one batch at a time.
type calm struct {
	sdktrace.SpanExporter

	logger *slog.Logger
	lost   int // spans, since the collector was heard of last
}

// ExportSpans implements sdktrace.SpanExporter. It has no errors: those would go to a
// logger of OpenTelemetry's.
func (c *calm) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := c.SpanExporter.ExportSpans(ctx, spans)
	switch {
	case err != nil && c.lost == 0:
		c.logger.WarnContext(ctx, "traces cannot be exported: they are let go until the collector takes them", "error", err)
	case err == nil && c.lost > 0:
		c.logger.InfoContext(ctx, "traces are exported again", "lost", c.lost)
	}
	if err != nil {
		c.lost += len(spans)
	} else {
		c.lost = 0
	}
	return nil
}
