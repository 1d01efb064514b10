package tracing

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const (
	// queueSpans wait to be sent at most, about 4 MiB; a span for which there is no room
	// is let go. Nothing ever waits for a span.
	queueSpans = 4096
	batchSpans = 512
	batchEvery = time.Second
	// sendTimeout bounds one batch, its retries included.
	sendTimeout = 10 * time.Second
	// flushTimeout is what ending may take, of the ten seconds that a program has for it.
	flushTimeout = time.Second
	// maxAttributeBytes is what a statement of SQL is cut at.
	maxAttributeBytes = 2 << 10

	scope = "github.com/tidings-io/tidings"
)

// Options say what is traced, and as whose.
type Options struct {
	Service, Version string
	// Ratio is the share kept of the traces that begin here, 0 to 1. Whoever sends a
	// trace along has decided for it.
	Ratio  float64
	Logger *slog.Logger // nil: silent
}

func (o Options) log() *slog.Logger { return cmp.Or(o.Logger, slog.New(slog.DiscardHandler)) }

// Provider makes spans and sends them. A nil one makes none.
type Provider struct {
	sdk    *sdktrace.TracerProvider
	logger *slog.Logger
}

// New makes a provider whose spans go to a processor, which is the provider's from then on.
func New(processor sdktrace.SpanProcessor, o Options) *Provider {
	limits := sdktrace.NewSpanLimits()
	limits.AttributeValueLengthLimit = maxAttributeBytes
	return &Provider{logger: o.log(), sdk: sdktrace.NewTracerProvider(
		sdktrace.WithSpanProcessor(processor),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(o.Ratio))),
		sdktrace.WithRawSpanLimits(limits),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", o.Service), attribute.String("service.version", o.Version),
			attribute.String("service.instance.id", uuid.NewString()),
		)),
	)}
}

// Open makes a provider that sends spans to a collector, by OTLP over HTTP, in batches.
// It connects to nothing yet. A collector that is away costs a line in the log and the
// spans that find no room meanwhile.
func Open(ctx context.Context, to Endpoint, o Options) (*Provider, error) {
	exporter, err := to.exporter(ctx)
	if err != nil {
		return nil, fmt.Errorf("prepare the export of traces: %w", err)
	}
	return New(sdktrace.NewBatchSpanProcessor(&calm{SpanExporter: exporter, logger: o.log()},
		sdktrace.WithMaxQueueSize(queueSpans), sdktrace.WithMaxExportBatchSize(batchSpans),
		sdktrace.WithBatchTimeout(batchEvery), sdktrace.WithExportTimeout(sendTimeout)), o), nil
}

// Tracer makes spans; it is nil where there is no provider, and nobody may ask it then.
func (p *Provider) Tracer() trace.Tracer {
	if p == nil {
		return nil
	}
	return p.sdk.Tracer(scope)
}

// SDK is for libraries that want to make their own tracer; nil without a provider.
func (p *Provider) SDK() trace.TracerProvider {
	if p == nil {
		return nil
	}
	return p.sdk
}

// Close sends what waits, within a second.
func (p *Provider) Close() {
	if p == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	if err := p.sdk.Shutdown(ctx); err != nil {
		p.logger.Warn("the last traces were not exported", "error", err)
	}
}
