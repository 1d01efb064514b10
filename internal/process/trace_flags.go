package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/tidings-io/tidings/internal/tracing"
)

// TraceFlags say where traces go. Without an endpoint nothing is traced.
type TraceFlags struct {
	OTLPEndpoint     string  `name:"otlp-endpoint" help:"Collector to export traces to, by OTLP over HTTP, such as http://127.0.0.1:4318; none unless given. Headers and authorities are taken from OpenTelemetry's variables." placeholder:"URL" env:"OTEL_EXPORTER_OTLP_ENDPOINT" secret:"url"`
	TraceSampleRatio float64 `help:"Share of traces kept, 0 to 1, of those that begin here; a request's traceparent decides for its own." default:"1" unit:"share" env:"TIDINGS_TRACE_SAMPLE_RATIO"`
}

// Validate refuses what means nothing. It does not repeat the address.
func (f TraceFlags) Validate() error {
	var err error
	if f.OTLPEndpoint != "" {
		_, err = tracing.ParseEndpoint(f.OTLPEndpoint)
		err = ofFlag("--otlp-endpoint", err)
	}
	if !(f.TraceSampleRatio >= 0 && f.TraceSampleRatio <= 1) { // nor is NaN
		err = errors.Join(err, errors.New("--trace-sample-ratio is from 0 to 1"))
	}
	return err
}

// open makes what the flags ask for; nil: nothing.
func (f TraceFlags) open(ctx context.Context, service string, logger *slog.Logger) (*tracing.Provider, error) {
	if f.OTLPEndpoint == "" {
		return nil, nil
	}
	to, err := tracing.ParseEndpoint(f.OTLPEndpoint)
	if err != nil {
		return nil, fmt.Errorf("--otlp-endpoint: %w", err)
	}
	return tracing.Open(ctx, to, tracing.Options{Service: service, Version: version(), Ratio: f.TraceSampleRatio, Logger: logger})
}
