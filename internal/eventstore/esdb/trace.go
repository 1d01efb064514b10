package esdb

import (
	"context"
	"errors"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/tracing"
)

// trace begins the span of an append, its retries included, if the append belongs to a
// trace that is kept. The calls themselves have none: the official client makes its own
// connections and takes no options for them.
func (s *Store) trace(ctx context.Context, stream events.StreamName, evs int) (context.Context, trace.Span) {
	if s.options.Tracer == nil || !trace.SpanContextFromContext(ctx).IsSampled() {
		return ctx, nil
	}
	return s.options.Tracer.Start(ctx, "append", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		tracing.Stream(stream), attribute.Int("tidings.events", evs),
	))
}

func endAppend(span trace.Span, appended events.Appended, err error) {
	if span == nil {
		return
	}
	if err == nil {
		span.SetAttributes(tracing.Position(appended.Position),
			attribute.String("tidings.revision", strconv.FormatUint(uint64(appended.Revision), 10)))
	} else {
		span.SetAttributes(attribute.String("error.type", errorType(err)))
		if !errors.Is(err, events.ErrWrongRevision) { // which is decided anew
			span.SetStatus(codes.Error, "")
		}
	}
	span.End()
}

// errorTypes name errors; of several in one chain the first says most.
var errorTypes = []struct {
	err  error
	name string
}{
	{events.ErrOutcomeUnknown, "outcome_unknown"},
	{events.ErrStoreUnavailable, "store_unavailable"},
	{events.ErrWrongRevision, "wrong_revision"},
	{events.ErrStreamDeleted, "stream_deleted"},
	{events.ErrTooLarge, "too_large"},
	{context.Canceled, "canceled"},
}

// errorType is the kind of an error. Its text would name streams, and they users.
func errorType(err error) string {
	for _, kind := range errorTypes {
		if errors.Is(err, kind.err) {
			return kind.name
		}
	}
	return "other"
}
