package httpapi

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings-io/tidings/web"
)

// edgeOf is the edge before a handler of the test's own.
func edgeOf(t *testing.T, c Config, inside http.HandlerFunc) http.Handler {
	t.Helper()
	_, usual := alone(t)
	c.Store, c.Log, c.Reads, c.Hub, c.Registerer = usual.Store, usual.Log, usual.Reads, usual.Hub, prometheus.NewRegistry()
	a, err := newAPI(c)
	if err != nil {
		t.Fatal(err)
	}
	if a.metrics, err = newMetrics(nil, nil); err != nil {
		t.Fatal(err)
	}
	return a.edge(inside)
}

// whole is everything the edge serves.
func whole(t *testing.T, c Config) http.Handler {
	t.Helper()
	_, usual := alone(t)
	c.Store, c.Log, c.Reads, c.Hub, c.Registerer, c.Console = usual.Store, usual.Log, usual.Reads, usual.Hub, prometheus.NewRegistry(), web.Console()
	handler, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

// call sends a request with headers given as name, value, …; Host is one of them.
func call(handler http.Handler, method, path string, headers ...string) *http.Response {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	handler.ServeHTTP(w, r)
	return w.Result()
}

func TestEveryAnswerKeepsBrowsersFromHarm(t *testing.T) {
	t.Parallel()
	handler := whole(t, Config{Hosts: []string{"example.com"}})
	tests := map[string]struct {
		method, path string
		headers      []string
		status       int
		page         bool
	}{
		"an answer":                     {method: http.MethodGet, path: "/livez", status: http.StatusOK},
		"the console":                   {method: http.MethodGet, path: "/", status: http.StatusOK, page: true},
		"the docs":                      {method: http.MethodGet, path: "/docs", status: http.StatusOK, page: true},
		"the docs' script":              {method: http.MethodGet, path: "/docs/web-components.min.js", status: http.StatusOK},
		"metrics":                       {method: http.MethodGet, path: "/metrics", status: http.StatusOK},
		"no route":                      {method: http.MethodGet, path: "/nowhere", status: http.StatusNotFound},
		"a method that is not allowed":  {method: http.MethodDelete, path: "/livez", status: http.StatusMethodNotAllowed},
		"a page of another site":        {method: http.MethodPost, path: "/v1/alerts", headers: []string{"Sec-Fetch-Site", "cross-site"}, status: http.StatusForbidden},
		"another host":                  {method: http.MethodGet, path: "/docs", headers: []string{"Host", "evil.example"}, status: http.StatusMisdirectedRequest},
		"a path that is not UTF-8":      {method: http.MethodGet, path: "/v1/topics/%ff", status: http.StatusBadRequest},
		"a handler that panics":         {method: http.MethodGet, path: "/v1/topics", status: http.StatusInternalServerError},
		"a value that cannot be served": {method: http.MethodGet, path: "/v1/topics?limit=x", status: http.StatusUnprocessableEntity},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := call(handler, test.method, test.path, test.headers...)
			if answer.StatusCode != test.status {
				t.Errorf("got %s, want %d", answer.Status, test.status)
			}
			for header, want := range map[string]string{
				"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
				"Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
				"Strict-Transport-Security": "",
			} {
				if got := answer.Header.Get(header); got != want {
					t.Errorf("%s: got %q, want %q", header, got, want)
				}
			}
			policies := answer.Header.Values("Content-Security-Policy")
			if len(policies) != 1 || (policies[0] == closedPolicy) == test.page {
				t.Errorf("got policies %q; a page has one of its own: %t", policies, test.page)
			}
			if !strings.Contains(policies[0], "frame-ancestors 'none'") {
				t.Errorf("got policy %q, want that no frame may show it", policies[0])
			}
		})
	}
}

func TestOnlyTLSAsksForTLS(t *testing.T) {
	t.Parallel()
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/livez", nil)
	r.TLS = &tls.ConnectionState{}
	whole(t, Config{}).ServeHTTP(w, r)
	if got := w.Header().Get("Strict-Transport-Security"); got != httpsOnly {
		t.Errorf("got %q, want %q", got, httpsOnly)
	}
}
