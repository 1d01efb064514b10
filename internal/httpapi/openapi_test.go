package httpapi

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings-io/tidings/internal/eventstore/memory"
	"github.com/tidings-io/tidings/internal/live"
)

// alone is the edge with nothing behind it.
func alone(t *testing.T) (*api, Config) {
	t.Helper()
	store := &memory.Store{}
	c := Config{
		Store: store, Log: store, Reads: struct{ Reads }{}, Hub: &live.Hub{}, Console: http.NotFoundHandler(),
		Registerer: prometheus.NewRegistry(),
	}
	a, err := newAPI(c)
	if err != nil {
		t.Fatal(err)
	}
	return a, c
}

var constraint = regexp.MustCompile(`\{(\w+):[^}]*\}`)

func TestEveryRouteIsInTheDocumentAndTheOtherWayRound(t *testing.T) {
	t.Parallel()
	a, c := alone(t)
	routes := a.routes(c)
	var routed []string
	err := chi.Walk(a.router(routes), func(method, pattern string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if method != http.MethodHead { // goes with GET
			routed = append(routed, method+" "+constraint.ReplaceAllString(pattern, "{$1}"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/openapi.json", nil))
	var document struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Parameters  []struct {
				Name string `json:"name"`
				In   string `json:"in"`
			} `json:"parameters"`
			Responses map[string]any `json:"responses"`
		} `json:"paths"`
		Components struct {
			Schemas map[string]any `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	var described []string
	ids := map[string]bool{}
	for path, operations := range document.Paths {
		for method, operation := range operations {
			at := strings.ToUpper(method) + " " + path
			described = append(described, at)
			if operation.OperationID == "" || ids[operation.OperationID] {
				t.Errorf("%s: the operation's id %q is empty or used twice", at, operation.OperationID)
			}
			ids[operation.OperationID] = true
			if len(operation.Responses) == 0 {
				t.Errorf("%s: no answers", at)
			}
			for _, p := range operation.Parameters {
				if p.In == "path" && !strings.Contains(path, "{"+p.Name+"}") {
					t.Errorf("%s: no parameter %s in the path", at, p.Name)
				}
			}
		}
	}
	slices.Sort(routed)
	slices.Sort(described)
	if diff := cmp.Diff(routed, described); diff != "" {
		t.Errorf("routes and document differ (-routed +described):\n%s", diff)
	}
	if document.OpenAPI != "3.1.0" {
		t.Errorf("OpenAPI %q", document.OpenAPI)
	}
	for _, ref := range regexp.MustCompile(`"#/components/schemas/([^"]+)"`).FindAllStringSubmatch(w.Body.String(), -1) {
		if _, ok := document.Components.Schemas[ref[1]]; !ok {
			t.Errorf("no schema %s", ref[1])
		}
	}
}

// Every code a problem can have is in the map of kinds, and is explained.
func TestEveryCodeIsExplained(t *testing.T) {
	t.Parallel()
	a, c := alone(t)
	for _, rt := range a.routes(c) {
		for _, code := range rt.codes() {
			if kinds[code].status == 0 {
				t.Errorf("%s %s answers %s, which is no code", rt.method, rt.pattern, code)
			}
		}
	}
	w := httptest.NewRecorder()
	if err := errorsPage()(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/docs/errors", nil)); err != nil {
		t.Fatal(err)
	}
	for code := range maps.Keys(kinds) {
		if !strings.Contains(w.Body.String(), `id="`+code+`"`) {
			t.Errorf("/docs/errors does not explain %s", code)
		}
	}
}

// The docs page is whole without anybody else's server.
func TestDocsAreServedOffline(t *testing.T) {
	t.Parallel()
	_, c := alone(t)
	handler, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	get := func(path, encoding string) *http.Response {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		r.Header.Set("Accept-Encoding", encoding)
		handler.ServeHTTP(w, r)
		return w.Result()
	}
	page := get("/docs", "")
	body, err := io.ReadAll(page.Body)
	if err != nil {
		t.Fatal(err)
	}
	if policy := page.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "http") {
		t.Errorf("policy %q", policy)
	}
	if strings.Contains(string(body), "://") {
		t.Errorf("the page names another server:\n%s", body)
	}
	for _, asset := range regexp.MustCompile(`(?:src|href)="(/[^"]*)"`).FindAllStringSubmatch(string(body), -1) {
		plain, packed := get(asset[1], ""), get(asset[1], "br, gzip")
		if plain.StatusCode != http.StatusOK || packed.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%s: %s; %s", asset[1], plain.Status, packed.Header.Get("Content-Encoding"))
		}
		if text, err := io.ReadAll(plain.Body); err != nil || len(text) < 100_000 {
			t.Errorf("%s: %d bytes, %v", asset[1], len(text), err)
		}
	}
}
