package tracing_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/tidings-io/tidings/internal/tracing"
)

// receiver is a collector that takes spans by OTLP over HTTP.
type receiver struct {
	*httptest.Server

	mu       sync.Mutex
	refuses  bool
	requests []*http.Request
	spans    []string // service and name
}

func receive(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if err := r.take(w, request); err != nil {
			t.Errorf("decode what was exported: %v", err)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) take(w http.ResponseWriter, request *http.Request) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, request)
	if r.refuses {
		w.WriteHeader(http.StatusBadRequest) // not to be tried again
		return nil
	}
	var body io.Reader = request.Body
	if request.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			return err
		}
		body = unpacked
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	var batch collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(data, &batch); err != nil {
		return err
	}
	for _, of := range batch.GetResourceSpans() {
		service := ""
		for _, a := range of.GetResource().GetAttributes() {
			if a.GetKey() == "service.name" {
				service = a.GetValue().GetStringValue()
			}
		}
		for _, in := range of.GetScopeSpans() {
			for _, span := range in.GetSpans() {
				r.spans = append(r.spans, service+": "+span.GetName())
			}
		}
	}
	return nil
}

func (r *receiver) refuse(refuses bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuses = refuses
}

func (r *receiver) got() (requests, spans int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.requests), len(r.spans)
}

// said collects what is logged.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(text)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func open(t *testing.T, address string, log io.Writer) *tracing.Provider {
	t.Helper()
	to, err := tracing.ParseEndpoint(address)
	if err != nil {
		t.Fatal(err)
	}
	p, err := tracing.Open(t.Context(), to, tracing.Options{
		Service: "tidings-test", Version: "v", Ratio: 1, Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func span(p *tracing.Provider, name string) {
	_, s := p.Tracer().Start(context.Background(), name)
	s.End()
}

func TestSpansReachACollector(t *testing.T) {
	t.Parallel()
	r, log := receive(t), &said{}
	p := open(t, strings.Replace(r.URL, "http://", "http://tidings:hush@", 1), log)
	span(p, "one")
	span(p, "two")
	p.Close() // sends what waits
	if got, want := strings.Join(r.spans, ", "), "tidings-test: one, tidings-test: two"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	request := r.requests[0]
	if got := request.URL.Path; got != "/v1/traces" {
		t.Errorf("got the path %s", got)
	}
	if user, password, _ := request.BasicAuth(); user != "tidings" || password != "hush" {
		t.Errorf("got the user %q and password %q", user, password)
	}
	if log.String() != "" {
		t.Errorf("it said %s", log)
	}
}

func TestADeadCollectorCostsALine(t *testing.T) {
	t.Parallel()
	r, log := receive(t), &said{}
	r.refuse(true)
	p := open(t, r.URL, log)
	defer p.Close()
	requests := 0
	for range 3 { // outages of one batch each
		span(p, "lost")
		requests = r.await(t, requests)
	}
	r.refuse(false)
	span(p, "kept")
	r.await(t, requests)
	until(t, "it says that all is well", func() bool { return strings.Contains(log.String(), "exported again") })
	if got := strings.Count(log.String(), "\n"); got != 2 {
		t.Errorf("got %d lines, want one for the outage and one for its end:\n%s", got, log)
	}
	if !strings.Contains(log.String(), "lost=3") {
		t.Errorf("it does not say that 3 spans were lost:\n%s", log)
	}
}

// await waits until the collector was asked more often than that.
func (r *receiver) await(t *testing.T, before int) (requests int) {
	t.Helper()
	until(t, "the collector is asked", func() bool {
		requests, _ = r.got()
		return requests > before
	})
	return requests
}

func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	late := time.After(time.Minute)
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !is() {
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("%s: not after a minute", what)
		}
	}
}

// TestACollectorThatHangsHoldsNobodyUp: more spans than there is room for, and the end, take no time to speak of.
func TestACollectorThatHangsHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	hangs := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hangs }))
	defer server.Close()
	defer close(hangs)
	log := &said{}
	p := open(t, server.URL, log)
	began := time.Now()
	for range 20_000 {
		span(p, "x")
	}
	p.Close()
	if took := time.Since(began); took > 9*time.Second { // it waits for one
		t.Errorf("it took %s", took)
	}
	if !strings.Contains(log.String(), "not exported") {
		t.Errorf("it does not say what was lost: %s", log)
	}
}

func TestWithoutAProviderThereIsNoTracer(t *testing.T) {
	t.Parallel()
	var none *tracing.Provider
	if none.Tracer() != nil || none.SDK() != nil {
		t.Error("a provider that is not there has a tracer")
	}
	none.Close()
}

func TestAddressesOfCollectors(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		"http://127.0.0.1:4318": true, "https://collector/": true, "https://c/otlp": true, "http://c:4318/v1/traces": true,
		"": false, "127.0.0.1:4318": false, "grpc://c:4317": false, "http://": false, "http://c?x=hush": false, "http://a:hush@b:c": false,
	} {
		_, err := tracing.ParseEndpoint(text)
		if (err == nil) != good {
			t.Errorf("%q: got %v", text, err)
		}
		if err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%q is repeated: %v", text, err)
		}
	}
}

func TestLogsNameTheTrace(t *testing.T) {
	t.Parallel()
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	var log bytes.Buffer
	logger := slog.New(tracing.LogHandler(slog.NewTextHandler(&log, nil))).With("projection", "inbox")
	logger.InfoContext(t.Context(), "outside")
	logger.InfoContext(trace.ContextWithSpanContext(t.Context(), tracing.Parse(parent)), "inside")
	outside, inside, _ := strings.Cut(log.String(), "\n")
	if strings.Contains(outside, "trace_id") {
		t.Errorf("got %s, want no trace", outside)
	}
	if !strings.Contains(inside, "projection=inbox trace_id=0af7651916cd43dd8448eb211c80319c") {
		t.Errorf("got %s, want the trace", inside)
	}
}

func TestContextsOfTraces(t *testing.T) {
	t.Parallel()
	const kept, unkept = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	if got := tracing.Format(tracing.Parse(kept)); got != kept {
		t.Errorf("got %s, want %s", got, kept)
	}
	if got := tracing.Parse(kept); !got.IsRemote() || !got.IsSampled() || got.TraceID().String() != tracing.SampledID(kept) {
		t.Errorf("got %+v", got)
	}
	if tracing.Parse(unkept).IsSampled() || tracing.SampledID(unkept) != "" {
		t.Error("a trace that is not kept is taken for one that is")
	}
	for _, bad := range []string{"", "00", "01" + kept[2:], strings.ToUpper(kept), kept + "-", kept[:54] + "g"} {
		if tracing.Valid(bad) || tracing.Parse(bad).IsValid() || tracing.SampledID(bad) != "" {
			t.Errorf("%q is taken for a context", bad)
		}
	}
}

// TestAskingForATraceIsFree is not parallel: it counts allocations.
func TestAskingForATraceIsFree(t *testing.T) {
	const kept = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	if got := testing.AllocsPerRun(100, func() { _ = tracing.SampledID(kept) }); got != 0 {
		t.Errorf("got %v allocations, want none", got)
	}
}
