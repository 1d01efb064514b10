package httpapi_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/tidings-io/tidings/internal/eventstore/memory"
	"github.com/tidings-io/tidings/internal/httpapi"
	"github.com/tidings-io/tidings/internal/live"
	"github.com/tidings-io/tidings/internal/tracing"
)

// BenchmarkPublishTraced publishes into memory, from handler to store: without a tracer, with one that keeps no trace, and
// with one that keeps each and throws its spans away.
func BenchmarkPublishTraced(b *testing.B) {
	for name, tracer := range map[string]trace.Tracer{
		"off": nil, "none kept": tracing.New(discard{}, tracing.Options{}).Tracer(), "all kept": tracing.New(discard{}, tracing.Options{Ratio: 1}).Tracer(),
	} {
		b.Run(name, func(b *testing.B) { benchmarkPublish(b, httpapi.Config{Tracer: tracer}) })
	}
}

func benchmarkPublish(b *testing.B, c httpapi.Config) {
	b.Helper()
	store, registry := &memory.Store{}, prometheus.NewRegistry()
	c.Store, c.Log, c.Reads, c.Hub, c.Registerer, c.Gatherer = store, store, away{}, &live.Hub{}, registry, registry
	handler, err := httpapi.New(c)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, "/v1/notifications", io.NopCloser(strings.NewReader(`{"to":["topic:builds"],"title":"main is red","severity":"high"}`)))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, r); w.Code != http.StatusAccepted {
			b.Fatal(w.Code, w.Body)
		}
	}
}

// discard takes spans and does nothing with them.
type discard struct{}

func (discard) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (discard) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (discard) Shutdown(context.Context) error                  { return nil }
func (discard) ForceFlush(context.Context) error                { return nil }
