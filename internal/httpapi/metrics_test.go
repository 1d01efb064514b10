package httpapi_test

import (
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tidings-io/tidings/internal/httpapi"
)

const (
	tracedID    = "0af7651916cd43dd8448eb211c80319c"
	traced      = "00-" + tracedID + "-b7ad6b7169203331-01"
	untraced    = "00-" + tracedID + "-b7ad6b7169203331-00"
	openMetrics = "application/openmetrics-text; version=1.0.0"
)

// metricNames are what a scrape has, in either form.
func metricNames(text string) (names []string) {
	for _, m := range regexp.MustCompile(`(?m)^(tidings_[a-z_]+)`).FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (s *system) scrape(t *testing.T, accept string) (kind, text string) {
	t.Helper()
	response := s.do(t, http.MethodGet, "/metrics", "", "Accept", accept)
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.Header.Get("Content-Type"), string(body)
}

// TestMetricsNameTracesToWhoAsksForOpenMetrics: and say the same otherwise to everybody.
func TestMetricsNameTracesToWhoAsksForOpenMetrics(t *testing.T) {
	t.Parallel()
	s := serve(t, httpapi.Config{})
	s.do(t, http.MethodPut, "/v1/topics/a", `{"description":"x"}`, "Content-Type", "application/json", "Traceparent", untraced)
	if _, text := s.scrape(t, openMetrics); strings.Contains(text, "trace_id") {
		t.Error("a trace that nobody keeps is named")
	}
	s.do(t, http.MethodPut, "/v1/topics/a", `{"description":"y"}`, "Content-Type", "application/json", "Traceparent", traced)
	kind, open := s.scrape(t, openMetrics)
	if !strings.HasPrefix(kind, "application/openmetrics-text") || !strings.HasSuffix(open, "# EOF\n") {
		t.Errorf("got %q, which ends %q", kind, open[max(0, len(open)-20):])
	}
	exemplar := regexp.MustCompile(`(?m)^tidings_http_request_duration_seconds_bucket\{route="/v1/topics/\{topic\}",le="[^"]+"\} \d+ # \{trace_id="` + tracedID + `"\}`)
	if !exemplar.MatchString(open) {
		t.Errorf("no bucket names the trace:\n%s", open)
	}
	kind, plain := s.scrape(t, "text/plain")
	if !strings.HasPrefix(kind, "text/plain") || strings.Contains(plain, "trace_id") {
		t.Errorf("got %q, with exemplars", kind)
	}
	if got, want := metricNames(open), metricNames(plain); !slices.Equal(got, want) {
		t.Errorf("OpenMetrics has other names: got %v, want %v", got, want)
	}
}

// TestBothFormsOfMetricsAtOnce: what was gathered once is written by many. The race detector watches.
func TestBothFormsOfMetricsAtOnce(t *testing.T) {
	t.Parallel()
	s := serve(t, httpapi.Config{})
	s.do(t, http.MethodPut, "/v1/topics/a", `{"description":"y"}`, "Content-Type", "application/json", "Traceparent", traced)
	var asking sync.WaitGroup
	for i := range 20 {
		asking.Go(func() {
			kind := []string{openMetrics, "text/plain", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"}[i%3]
			if _, text := s.scrape(t, kind); !strings.Contains(text, "tidings_http_requests_total") {
				t.Errorf("%s: no requests are counted", kind)
			}
		})
	}
	asking.Wait()
}
