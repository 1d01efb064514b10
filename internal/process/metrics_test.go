package process

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings-io/tidings/internal/projections"
)

// explained are the metrics that the page has a row for.
func explainedMetrics(t *testing.T) map[string]bool {
	t.Helper()
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	explained := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(tidings_[a-z0-9_]+)` ").FindAllStringSubmatch(string(page), -1) {
		explained[row[1]] = true
	}
	return explained
}

// seriesOf are those of ours that a registry has now, by metric.
func seriesOf(t *testing.T, registry *prometheus.Registry) map[string][]string {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	series := map[string][]string{}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "tidings_") {
			continue
		}
		for _, m := range f.GetMetric() {
			labels := ""
			for _, l := range m.GetLabel() {
				labels += " " + l.GetName() + "=" + l.GetValue()
			}
			series[f.GetName()] = append(series[f.GetName()], labels)
		}
	}
	return series
}

func names(series map[string][]string) []string { return slices.Sorted(maps.Keys(series)) }

// TestAProcessWithEverythingHasWhatThePageExplains: in one process with all parts there is each metric of the page, with at
// least one series before anything has happened, and no other.
func TestAProcessWithEverythingHasWhatThePageExplains(t *testing.T) {
	t.Parallel()
	registry := newRegistry()
	ready := make(chan struct{})
	edge, store, dir := anyPort(t), anyPort(t), t.TempDir()
	run(t, "everything", func(ctx context.Context) error {
		return served(ctx, Dev{
			Dir: dir, StoreLimit: projections.DefaultStoreLimit, Logger: slog.New(slog.DiscardHandler), Registry: registry,
			Access: AccessFlags{JWTSecret: "a secret of this test, which is long enough"},
		}.Run(ctx, edge, store, func() { close(ready) }))
	})
	eventually(t, "it is ready", func() bool {
		select {
		case <-ready:
			return true
		default:
			return false
		}
	})
	explained := slices.Sorted(maps.Keys(explainedMetrics(t)))
	if diff := cmp.Diff(explained, names(seriesOf(t, registry))); diff != "" {
		t.Errorf("docs/metrics.md and a fresh process (-page +process)\n%s", diff)
	}
}

// TestEverySeriesIsThereFromTheStart: a process that has worked has the series that it had before.
func TestEverySeriesIsThereFromTheStart(t *testing.T) {
	t.Parallel()
	s := startSystem(t, slog.New(slog.DiscardHandler), nil, nil)
	of := map[string]*prometheus.Registry{"api": s.api, "projector": s.projector, "node": s.node}
	before := map[string]map[string][]string{}
	explained := explainedMetrics(t)
	for process, registry := range of {
		before[process] = seriesOf(t, registry)
		for name := range before[process] {
			if !explained[name] {
				t.Errorf("%s has the metric %s, which docs/metrics.md does not explain", process, name)
			}
		}
	}
	s.publish(t)
	s.must(t, http.MethodPost, "/v1/users/ann-user/inbox/read", `{"through":"2"}`)
	for path, want := range map[string]int{
		"/v1/users/ann-user/inbox": 200, "/v1/users/an%20n/inbox": 422, "/v1/topics/none": 404, "/v1/nowhere": 404, "/v1/audit/events?limit=x": 422,
	} {
		if got, answer := s.do(t, http.MethodGet, path, ""); got != want {
			t.Errorf("GET %s: got %d, want %d: %s", path, got, want, answer)
		}
	}
	for process, registry := range of {
		if diff := cmp.Diff(before[process], seriesOf(t, registry)); diff != "" {
			t.Errorf("%s (-when it was fresh +later)\n%s", process, diff)
		}
	}
}

// TestEveryProcessSaysWhatItIs: and whether it reaches what it needs.
func TestEveryProcessSaysWhatItIs(t *testing.T) {
	t.Parallel()
	s := startSystem(t, slog.New(slog.DiscardHandler), nil, nil)
	for process, registry := range map[string]*prometheus.Registry{"api": s.api, "projector": s.projector, "node": s.node} {
		if got := valueOf(t, registry, "tidings_build_info", ""); got != 1 {
			t.Errorf("%s: got tidings_build_info %v, want 1", process, got)
		}
	}
	for process, registry := range map[string]*prometheus.Registry{"api": s.api, "projector": s.projector} {
		eventually(t, process+" says that it reaches Postgres", func() bool { return valueOf(t, registry, "tidings_postgres_connected", "") == 1 })
		if got := valueOf(t, registry, "tidings_postgres_connections_max", ""); got < 1 {
			t.Errorf("%s: got a pool of %v connections at most", process, got)
		}
	}
}

// valueOf is the sum of the series of a metric that have a label of this value; "": of all.
func valueOf(t *testing.T, registry *prometheus.Registry, name, label string) (sum float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			has := label == ""
			for _, l := range m.GetLabel() {
				has = has || l.GetValue() == label
			}
			if has && f.GetName() == name {
				sum += m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}
