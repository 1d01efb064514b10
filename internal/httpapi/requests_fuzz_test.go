package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/memory"
	"github.com/tidings-io/tidings/internal/httpapi"
	"github.com/tidings-io/tidings/internal/live"
)

// What failed once, and what led to new code, is kept in testdata/fuzz.

// fuzzedAPI is the edge before an empty log and no read model.
type fuzzedAPI struct {
	http.Handler

	store *emptied
}

// emptied is a store that a test can empty.
type emptied struct{ *memory.Store }

// gone is a read model that is away, and says so at once.
type gone struct{ away }

func (gone) WaitFor(context.Context, events.Position) error { return errAway }

func fuzzed(f *testing.F) fuzzedAPI {
	f.Helper()
	store, metrics := &emptied{&memory.Store{}}, prometheus.NewRegistry()
	handler, err := httpapi.New(httpapi.Config{
		Store: store, Log: store, Reads: gone{}, Hub: &live.Hub{}, Registerer: metrics, Gatherer: metrics,
	})
	if err != nil {
		f.Fatal(err)
	}
	return fuzzedAPI{handler, store}
}

// answer sends a request. {} in the route stands for the name.
func (a fuzzedAPI) answer(t *testing.T, route, name, query string, body []byte, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	method, path, _ := strings.Cut(route, " ")
	u, err := url.Parse("http://tidings.example" + strings.ReplaceAll(path, "{}", url.PathEscape(name)) + "?" + query)
	if err != nil {
		t.Skip("no URL")
	}
	a.store.Store = &memory.Store{}
	r := httptest.NewRequestWithContext(t.Context(), method, "http://tidings.example/", bytes.NewReader(body))
	r.URL, r.Header = u, header
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w
}

// check holds an answer to what every answer is: done, or a problem of the request's.
func (a fuzzedAPI) check(t *testing.T, route string, w *httptest.ResponseRecorder, allowed ...string) {
	t.Helper()
	// Entries of a batch are judged one by one, and at most so many of its flaws are named.
	const most = 1 << 20
	if w.Body.Len() > most {
		t.Errorf("%s: answered with %d bytes", route, w.Body.Len())
	}
	if w.Code < http.StatusBadRequest {
		return
	}
	var p httpapi.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != w.Code {
		t.Fatalf("%s: %d is no problem: %v: %s", route, w.Code, err, w.Body)
	}
	if slices.Contains(allowed, p.Code) {
		return
	}
	if w.Code >= http.StatusInternalServerError {
		t.Fatalf("%s: %s", route, w.Body)
	}
	for _, flaw := range p.Errors {
		const mostField, mostMessage = 64 + 40, 320 // so much input, within names of ours, and what we or the compiler of filters say
		if utf8.RuneCountInString(flaw.Field) > mostField || utf8.RuneCountInString(flaw.Message) > mostMessage {
			t.Errorf("%s: a flaw of %d and %d bytes: %.300v", route, len(flaw.Field), len(flaw.Message), flaw)
		}
	}
	if head, err := a.store.Head(t.Context()); err != nil || head != 0 {
		t.Errorf("%s: %d, and the head of the log is %s, %v", route, w.Code, head, err)
	}
}

// FuzzCommands: any body to any command is done, or refused for its own sake with
// nothing appended; and a repeat under the same key is the same.
func FuzzCommands(f *testing.F) {
	routes := []string{
		"POST /v1/notifications", "POST /v1/notifications/batch", "POST /v1/alerts", "PUT /v1/users/{}/subscriptions/t", "PUT /v1/users/u/subscriptions/{}", "DELETE /v1/users/u/subscriptions/{}",
		"POST /v1/topics/{}/subscribers", "PUT /v1/topics/{}", "PUT /v1/users/{}/preferences", "POST /v1/users/{}/inbox/read", "POST /v1/users/u/inbox/{}", "DELETE /v1/notifications/{}",
		"POST /v1/projections/{}/rebuild", "POST /v1/projections/inbox/versions/{}/activate", "POST /v1/projections/inbox/skip", "POST /v1/projections/inbox/pause",
	}
	for i, bodies := range [][]string{
		{`{"to":["topic:a","user:u"],"title":"t","data":{"a":{"b":[1e9]}}}`, `{"` + strings.Repeat("é", 99) + `":1}`},
		{`{"notifications":[{"to":["user:u"],"title":"t"},7,{},{"x":1},null]}`, `{"notifications":[]}`, `{"notifications":[` + strings.TrimSuffix(strings.Repeat(`{},`, 1001), ",") + `]}`},
		{`{"target":["@u","@@t"],"severity":"high","message":"m"}`, `{"target":[],"message":"` + strings.Repeat("é", 201) + `"}`, `{"target":["u",null,7],"message":null}`},
		{`{"min_severity":"high","filter":"data.n > 0"}`, `{"filter":"(","channels":[]}`, `{"filter":"` + strings.Repeat("x", 2001) + `"}`, ``},
		{``, `{"min_severity":"loud","channels":["email"]}`, `{"filter":"title.matches('` + strings.Repeat("x", 300) + `[')"}`}, {``},
		{`{"add":["u","v"],"remove":["w"]}`, `{"add":["u","u"],"remove":["u"]}`, `{}`},
		{`{"description":"d"}`, `{"description":null}`, `{"description":"` + strings.Repeat("x", 1001) + `"}`},
		{`{"muted_topics":["a"],"quiet_hours":{"from":"22:00","to":"07:00","timezone":"UTC"},"channels":{"email":{"min_severity":"high"}}}`, `{"quiet_hours":{"timezone":"../../etc/passwd","from":"24:00","to":"7:00"},"channels":{"` + strings.Repeat("X", 99) + `":{"y":1}}}`},
		{`{"ids":["018f2f6e-9a3b-7c4d-8e5f-60718293a4b5"]}`, `{"through":"7"}`, `{"ids":[],"through":"07"}`, `{"ids":["x"]}`}, {`{"ids":[]}`}, {``},
		{`{"reason":"r","switch":"manual"}`, `{"switch":7}`}, {`{}`, `{"reason":"` + strings.Repeat("x", 9999) + `"}`}, {`{"position":"7","reason":"r"}`, `{"position":"-7"}`}, {`null`, `[]`},
	} {
		for _, body := range bodies {
			for _, name := range []string{"inbox", "a/b", "..", "018f2f6e-9a3b-8c4d-8e5f-60718293a4b5", "\xff", "%2f", "1"} {
				f.Add(uint8(i), name, []byte(body), "k")
			}
		}
	}
	api := fuzzed(f)
	f.Fuzz(func(t *testing.T, n uint8, name string, body []byte, key string) {
		route := routes[int(n)%len(routes)]
		header := http.Header{"Content-Type": {"application/json"}, "Idempotency-Key": {key}, "Prefer": {"wait=" + key}}
		w := api.answer(t, route, name, "", body, header)
		// Orders need to know which versions there are.
		api.check(t, route, w, "database_unavailable")
	})
}

// FuzzQueries: any query string to any query is answered, or refused for its own sake.
// There is no read model, so that what could be asked is answered with that.
func FuzzQueries(f *testing.F) {
	routes := []string{
		"GET /v1/users/{}/inbox", "GET /v1/users/{}/inbox/counts", "GET /v1/users/{}/subscriptions", "GET /v1/users/{}/preferences", "GET /v1/topics", "GET /v1/topics/{}", "GET /v1/topics/{}/subscribers",
		"GET /v1/notifications/{}", "GET /v1/notifications/{}/explain", "GET /v1/audit/events", "GET /v1/projections", "GET /v1/projections/inbox/versions/{}/parity", "GET /v1/{}", "HEAD /v1/users/{}/inbox", "PATCH /v1/topics/{}", "GET /docs/{}",
	}
	for i := range routes {
		for _, query := range []string{
			"", "limit=10&cursor=aTE&state=all&topic=a&severity=high&counts=true", "limit=0&state=x&topic=&severity=&counts=1", "as_of=7", "as_of=2026-01-31T12:00:00Z", "as_of=", "wait_for=x", "wait_for=1",
			"%zz", "a=%00", "a=%ff", "a;b", "user=u", "user=..&after=x&from=now&to=2026-01-31T1:00:00Z&category=x&correlation_id=y", "limit=%2B1", "cursor=dAA", "limit=1&limit=2",
		} {
			f.Add(uint8(i), "u", query)
			f.Add(uint8(i), "018f2f6e-9a3b-8c4d-8e5f-60718293a4b5", query)
		}
	}
	api := fuzzed(f)
	f.Fuzz(func(t *testing.T, n uint8, name, query string) {
		route := routes[int(n)%len(routes)]
		if values, _ := url.ParseQuery(query); strings.Contains(route, "audit") && values.Has("wait_for") {
			t.Skip("waits some seconds for the log")
		}
		w := api.answer(t, route, name, query, nil, http.Header{"Accept": {name}, "Tidings-Position": {""}})
		if strings.HasPrefix(route, "HEAD") && w.Body.Len() > 0 && w.Code < http.StatusBadRequest {
			t.Errorf("%s: a body of %d bytes", route, w.Body.Len())
		}
		api.check(t, route, w, "database_unavailable", "not_yet_projected")
	})
}
