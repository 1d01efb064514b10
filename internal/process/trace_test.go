package process

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/tidings-io/tidings/internal/tracing"
)

const (
	callersTrace = "0af7651916cd43dd8448eb211c80319c"
	callersSpan  = "b7ad6b7169203331"
	caller       = "00-" + callersTrace + "-" + callersSpan + "-01"
	unkept       = "00-" + callersTrace + "-" + callersSpan + "-00"
)

// kept is a provider whose spans stay here.
func kept(service string, ratio float64) (*tracing.Provider, *tracetest.InMemoryExporter) {
	exporter := tracetest.NewInMemoryExporter()
	return tracing.New(sdktrace.NewSimpleSpanProcessor(exporter), tracing.Options{Service: service, Ratio: ratio}), exporter
}

// tree is what the spans of a publish are, as "service: name < its parent", in order. Those of statements are left out.
func tree(spans tracetest.SpanStubs) (lines []string) {
	trace, name := "", map[string]string{callersSpan: "the caller"}
	for _, s := range spans {
		name[s.SpanContext.SpanID().String()] = s.Name
		if s.Name == "POST /v1/notifications" {
			trace = s.SpanContext.TraceID().String()
		}
	}
	for _, s := range spans {
		if s.SpanContext.TraceID().String() != trace || s.InstrumentationScope.Name != "github.com/tidings-io/tidings" {
			continue
		}
		service, _ := s.Resource.Set().Value("service.name")
		line := service.AsString() + ": " + s.Name
		if s.Parent.IsValid() {
			line += " < " + name[s.Parent.SpanID().String()]
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}

// awaitTree waits until the spans that come after the answer are there too.
func awaitTree(t *testing.T, want []string, spans func() tracetest.SpanStubs) {
	t.Helper()
	defer func() {
		if got := tree(spans()); t.Failed() {
			t.Logf("(-want +got)\n%s", cmp.Diff(want, got))
		}
	}()
	eventually(t, "the trace is whole", func() bool { return slices.Equal(tree(spans()), want) })
}

func TestANotificationIsOneTrace(t *testing.T) {
	t.Parallel()
	t.Run("with a projector elsewhere", func(t *testing.T) {
		t.Parallel()
		api, ofAPI := kept("tidings-api", 1)
		projector, ofProjector := kept("tidings-projector", 1)
		s := startSystem(t, slog.New(slog.DiscardHandler), api, projector)
		s.publish(t)
		all := func() tracetest.SpanStubs { return append(ofAPI.GetSpans(), ofProjector.GetSpans()...) }
		awaitTree(t, []string{
			"tidings-api: POST /v1/notifications",
			"tidings-api: append < command publish",
			"tidings-api: command publish < POST /v1/notifications",
			"tidings-api: deliver Published < command publish",
			"tidings-projector: project Published < command publish",
		}, all)
		spansTellNothingPersonal(t, all())
		spansSay(t, all())
	})
	t.Run("as a part of its caller's", func(t *testing.T) {
		t.Parallel()
		traces, exporter := kept("tidings", 0) // the caller has decided
		s := startSystem(t, slog.New(slog.DiscardHandler), traces, traces)
		s.publish(t, "Traceparent", caller)
		awaitTree(t, []string{
			"tidings: POST /v1/notifications < the caller",
			"tidings: append < command publish",
			"tidings: command publish < POST /v1/notifications",
			"tidings: deliver Published < command publish",
			"tidings: project Published < command publish",
		}, exporter.GetSpans)
		for _, span := range exporter.GetSpans() {
			if got := span.SpanContext.TraceID().String(); got != callersTrace {
				t.Errorf("%s: got the trace %s, want the caller's alone, as no others are kept", span.Name, got)
			}
		}
	})
}

// spansSay: what an operator looks for is there.
func spansSay(t *testing.T, spans tracetest.SpanStubs) {
	t.Helper()
	want := map[string][]string{
		"POST /v1/notifications": {"http.route=/v1/notifications", "http.response.status_code=201", "tidings.correlation_id=request-1"},
		"command publish":        {"tidings.outcome=done"},
		"append":                 {"tidings.stream=notification-", "tidings.position=", "tidings.revision=0", "tidings.events=1"},
		"project Published":      {"tidings.stream=notification-", "tidings.position="},
		"deliver Published":      {"tidings.readers=1", "tidings.position="},
	}
	statements := 0
	for _, span := range spans {
		var said []string
		for _, a := range span.Attributes {
			said = append(said, string(a.Key)+"="+a.Value.String())
		}
		if strings.Contains(span.InstrumentationScope.Name, "otelpgx") {
			statements++
		}
		if span.Name == "append" && slices.Contains(said, "tidings.stream=subscription") {
			continue
		}
		for _, part := range want[span.Name] {
			if !slices.ContainsFunc(said, func(s string) bool { return strings.HasPrefix(s, part) }) {
				t.Errorf("%s: got %q, want %s", span.Name, said, part)
			}
		}
	}
	if statements == 0 {
		t.Error("no statement of the read model has a span")
	}
}

// spansTellNothingPersonal: no user, no topic, nothing of what was published.
func spansTellNothingPersonal(t *testing.T, spans tracetest.SpanStubs) {
	t.Helper()
	for _, span := range spans {
		text, err := json.Marshal(span)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"ann-user", "builds-topic", hush} {
			if strings.Contains(string(text), word) {
				t.Errorf("the span %s tells %q: %s", span.Name, word, text)
			}
		}
	}
}

// TestWhatIsNotTracedIsPassedOn: a caller's context goes into the metadata as it came where no span is kept.
func TestWhatIsNotTracedIsPassedOn(t *testing.T) {
	t.Parallel()
	traces, exporter := kept("tidings", 0)
	systems := map[string]*system{
		"with tracing off":            startSystem(t, slog.New(slog.DiscardHandler), nil, nil),
		"with a trace that is let go": startSystem(t, slog.New(slog.DiscardHandler), traces, traces),
	}
	for name, s := range systems {
		for given, want := range map[string]string{"": "", unkept: unkept} {
			if got := s.traceParentOf(t, given); got != want {
				t.Errorf("%s, given %q: got %q", name, given, got)
			}
		}
	}
	if got := systems["with tracing off"].traceParentOf(t, caller); got != caller {
		t.Errorf("with tracing off, given %q: got %q", caller, got)
	}
	if got := len(exporter.GetSpans()); got != 0 {
		t.Errorf("got %d spans, want none", got)
	}
}

// traceParentOf publishes and reads what the log holds.
func (s *system) traceParentOf(t *testing.T, given string) string {
	t.Helper()
	var published struct {
		ID string `json:"id"`
	}
	answer := s.must(t, http.MethodPost, "/v1/notifications", `{"to":["user:bob"],"title":"x"}`, "Traceparent", given)
	if err := json.Unmarshal([]byte(answer), &published); err != nil {
		t.Fatal(err)
	}
	var page struct {
		Items []struct {
			Metadata struct {
				TraceParent string `json:"traceparent"`
			} `json:"metadata"`
		} `json:"items"`
	}
	answer = s.must(t, http.MethodGet, "/v1/audit/events?stream=notification-"+published.ID, "")
	if err := json.Unmarshal([]byte(answer), &page); err != nil || len(page.Items) != 1 {
		t.Fatalf("got %s, %v, want one event", answer, err)
	}
	return page.Items[0].Metadata.TraceParent
}
