package httpapi_test

import (
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/httpapi"
)

// records are what a logger was told of reads of the audit trail.
type records struct {
	mu    sync.Mutex
	lines []map[string]any
}

func (r *records) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(r, nil)) }

// Write takes one record.
func (r *records) Write(line []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var record map[string]any
	if err := json.Unmarshal(line, &record); err != nil {
		return 0, err
	}
	if record["msg"] == "the audit trail was read" {
		r.lines = append(r.lines, record)
	}
	return len(line), nil
}

// last is a key of the newest record.
func (r *records) last(key string) any {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lines) == 0 {
		return nil
	}
	return r.lines[len(r.lines)-1][key]
}

// all are the records without what differs from run to run.
func (r *records) all() []map[string]any {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []map[string]any
	for _, line := range r.lines {
		line = maps.Clone(line)
		delete(line, "time")
		delete(line, "took")
		delete(line, "msg")
		all = append(all, line)
	}
	return all
}

func record(kind, filter, after string, n float64, position, ended string) map[string]any {
	return map[string]any{
		"level": "INFO", "actor": "dev", "correlation_id": "q", "kind": kind, "filter": filter, "after": after,
		"events": n, "position": position, "ended": ended,
	}
}

func TestReadsOfTheAuditTrailAreRecorded(t *testing.T) {
	t.Parallel()
	get := func(w *auditWorld, path string, headers ...string) {
		r := httptest.NewRequestWithContext(w.t.Context(), http.MethodGet, path, http.NoBody)
		r.Header.Set("X-Request-Id", "q")
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		defer func() { _ = recover() }() // an export that breaks off
		w.handler.ServeHTTP(httptest.NewRecorder(), r)
	}
	cases := map[string]struct {
		configure func(*auditWorld)
		do        func(*auditWorld)
		want      []map[string]any
	}{
		"a page, with its filter and nothing else of the query": {
			do: func(w *auditWorld) {
				get(w, "/v1/audit/events?limit=1&after=1&cursor=1&topic=a&user=&access_token=secret")
			},
			want: []map[string]any{record("page", "topic=a", "1", 1, "3", "done")},
		},
		"a page that is empty": {
			do:   func(w *auditWorld) { get(w, "/v1/audit/events?after=3") },
			want: []map[string]any{record("page", "", "3", 0, "3", "done")},
		},
		"an export": {
			do:   func(w *auditWorld) { get(w, "/v1/audit/events?type=TopicDescribed", "Accept", "application/x-ndjson") },
			want: []map[string]any{record("export", "type=TopicDescribed", "0", 0, "0", "open"), record("export", "type=TopicDescribed", "0", 3, "3", "done")},
		},
		"an export that breaks off": {
			configure: func(w *auditWorld) { w.config.Log = breaksOff{events: 5} },
			do:        func(w *auditWorld) { get(w, "/v1/audit/events", "Accept", "application/x-ndjson") },
			want:      []map[string]any{record("export", "", "0", 0, "0", "open"), record("export", "", "0", 5, "5", "store_unavailable")},
		},
		"a page that cannot be read": {
			configure: func(w *auditWorld) { w.config.Log = &broken{err: events.ErrStoreUnavailable} },
			do:        func(w *auditWorld) { get(w, "/v1/audit/events") },
			want:      []map[string]any{record("page", "", "0", 0, "0", "store_unavailable")},
		},
		"a stream, when it begins and when it ends": {
			do: func(w *auditWorld) {
				client := w.open("after=1&topic=a&access_token=secret", "")
				w.record(described("a"))
				synctest.Wait()
				client.gone()
				<-client.ended
			},
			want: []map[string]any{record("stream", "topic=a", "1", 0, "1", "open"), record("stream", "topic=a", "1", 2, "4", "gone")},
		},
		"what was refused was not read": {
			do: func(w *auditWorld) {
				get(w, "/v1/audit/events?after=x")
				get(w, "/v1/audit/stream?after=x")
			},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inAuditWorld(t, c.configure, func(w *auditWorld) {
				for _, topic := range []events.Topic{"a", "b", "a"} {
					w.record(described(topic))
				}
				c.do(w)
				if diff := cmp.Diff(c.want, w.records.all()); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			})
		})
	}
}

func TestAuditMetrics(t *testing.T) {
	t.Parallel()
	s := serve(t, httpapi.Config{})
	get := func(headers ...string) {
		s.do(t, http.MethodGet, "/v1/audit/events", "", headers...)
	}
	name(t, s.store)
	get()
	get("Accept", "application/x-ndjson")
	metrics := counts(t, s)
	for series, want := range map[string]string{
		`tidings_audit_reads_total{kind="page"}`: "1", `tidings_audit_reads_total{kind="export"}`: "1", `tidings_audit_reads_total{kind="stream"}`: "0",
		"tidings_audit_events_total": "2", "tidings_audit_streams": "0",
	} {
		if !strings.Contains(metrics, series+" "+want+"\n") {
			t.Errorf("%s is not %s", series, want)
		}
	}
}

// counts is the text of /metrics.
func counts(t *testing.T, s *system) string {
	t.Helper()
	var text strings.Builder
	if err := s.do(t, http.MethodGet, "/metrics", "").Write(&text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}
