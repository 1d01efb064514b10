package httpapi

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/tidings-io/tidings/internal/tracing"
)

// traceRequest begins a request's span, named after its route: paths have names of users
// and topics in them. The span's parent is the one that the request names, if any. What is
// asked of every process all the time is not traced.
func (a *api) traceRequest(w http.ResponseWriter, r *http.Request, rt route) (_ *http.Request, end func(panics bool)) {
	ctx := r.Context()
	caller := traceParent(r.Header)
	if caller != "" {
		ctx = trace.ContextWithRemoteSpanContext(ctx, tracing.Parse(caller))
	}
	rec := record(w)
	if a.tracer == nil || rt.group == groupOperations {
		if caller != "" { // still, what is logged and counted here belongs to the caller's trace
			rec.span = trace.SpanContextFromContext(ctx)
			r = r.WithContext(ctx)
		}
		return r, func(bool) {}
	}
	ctx, span := a.tracer.Start(ctx, rt.method+" "+rt.pattern, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", r.Method), attribute.String("http.route", rt.pattern),
		attribute.String("tidings.correlation_id", requestID(r)),
	))
	rec.span = span.SpanContext()
	return r.WithContext(ctx), func(panics bool) {
		if !panics {
			span.SetAttributes(attribute.Int("http.response.status_code", rec.final()))
		}
		if panics || rec.final() >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// traceCommand begins the span in which a command is decided; nil where the request has none.
func (a *api) traceCommand(ctx context.Context, name string) (context.Context, trace.Span) {
	if a.tracer == nil {
		return ctx, nil
	}
	return a.tracer.Start(ctx, "command "+name)
}

func endCommand(span trace.Span, outcome string) {
	if span == nil {
		return
	}
	span.SetAttributes(attribute.String("tidings.outcome", outcome))
	switch outcome {
	case outcomeUnavailable, outcomeUnknown, outcomeFailed:
		span.SetStatus(codes.Error, outcome)
	}
	span.End()
}

// parentFor is the traceparent for the events of a request: the span in which they are
// decided, where that is kept, and else what the request brought.
func parentFor(r *http.Request) string {
	if span := trace.SpanFromContext(r.Context()); span.IsRecording() {
		return tracing.Format(span.SpanContext())
	}
	return traceParent(r.Header)
}

// traceParent is the request's W3C trace context, "" where it is not valid.
func traceParent(h http.Header) string {
	if s := h.Get("Traceparent"); tracing.Valid(s) {
		return s
	}
	return ""
}
