package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/httpapi"
)

func problem(t *testing.T, r *http.Response) httpapi.Problem {
	t.Helper()
	var p httpapi.Problem
	if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
		t.Fatalf("%s: the answer is no problem: %v", r.Status, err)
	}
	if got := r.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type %q, want a problem's", got)
	}
	if p.Status != r.StatusCode || p.RequestID == "" || p.RequestID != r.Header.Get("X-Request-Id") || p.Type != "/docs/errors#"+p.Code {
		t.Errorf("the problem %+v does not go with %s and X-Request-Id %q", p, r.Status, r.Header.Get("X-Request-Id"))
	}
	return p
}

// events says how many events the log holds.
func (s *system) events(t *testing.T) int {
	t.Helper()
	n := 0
	for _, err := range s.store.ReadAll(t.Context(), 0, events.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// unsized hides a reader's length, so that the request has no Content-Length.
type unsized struct{ io.Reader }

func TestBodiesThatAreRefusedWhole(t *testing.T) {
	t.Parallel()
	const single, many = 256 << 10, 8 << 20
	text := func(n int) string { // a notification of n bytes in all
		const frame = `{"to":["user:alice"],"title":"t","body":""}`
		return frame[:len(frame)-2] + strings.Repeat("x", n-len(frame)) + `"}`
	}
	batch := func(n int) string {
		const frame = `{"notifications":[""]}`
		return frame[:len(frame)-3] + strings.Repeat("x", n-len(frame)) + `"]}`
	}
	tests := map[string]struct {
		path, body string
		status     int
		code       string
	}{
		"a body at its limit is read, and judged":      {"/v1/notifications", text(single), http.StatusUnprocessableEntity, "validation"},
		"a body one byte above its limit is too large": {"/v1/notifications", text(single + 1), http.StatusRequestEntityTooLarge, "too_large"},
		"a body of ten megabytes is too large":         {"/v1/notifications", text(10 << 20), http.StatusRequestEntityTooLarge, "too_large"},
		"a batch at its limit is read":                 {"/v1/notifications/batch", batch(many), http.StatusAccepted, ""},
		"a batch one byte above its limit is too large": {
			"/v1/notifications/batch", batch(many + 1), http.StatusRequestEntityTooLarge, "too_large",
		},
		"an alert has the limit of a notification": {"/v1/alerts", text(single + 1), http.StatusRequestEntityTooLarge, "too_large"},
		"bytes that are not UTF-8 are malformed": {
			"/v1/notifications", "{\"to\":[\"user:alice\"],\"title\":\"\xff\"}", http.StatusBadRequest, "malformed",
		},
		"an overlong encoding is malformed": {
			"/v1/notifications", "{\"to\":[\"user:alice\"],\"title\":\"\xc0\x80\"}", http.StatusBadRequest, "malformed",
		},
		"a byte order mark is malformed": {
			"/v1/notifications", "\xef\xbb\xbf{\"to\":[\"user:alice\"],\"title\":\"t\"}", http.StatusBadRequest, "malformed",
		},
		"a NUL byte is malformed": {
			"/v1/notifications", "{\"to\":[\"user:alice\"],\"title\":\"\x00\"}", http.StatusBadRequest, "malformed",
		},
		"white space alone is malformed": {"/v1/notifications", " \n", http.StatusBadRequest, "malformed"},
		"JSON that nests absurdly is malformed": {
			"/v1/notifications", `{"to":["user:alice"],"title":"t","data":` + strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 101),
			http.StatusBadRequest, "malformed",
		},
		"JSON that nests deeply is not": {
			"/v1/notifications/batch", `{"notifications":` + strings.Repeat("[", 98) + `"[[[[[["` + strings.Repeat("]", 98) + "}", http.StatusAccepted, "",
		},
		"more unknown fields than anybody reads": {
			"/v1/notifications", unknownFields(1000),
			http.StatusUnprocessableEntity, "validation",
		},
	}
	for name, test := range tests {
		for _, sized := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, Content-Length %t", name, sized), func(t *testing.T) {
				t.Parallel()
				s := serve(t, httpapi.Config{})
				request := newRequest(t, http.MethodPost, s.URL+test.path, test.body)
				if !sized {
					request.Body, request.ContentLength = io.NopCloser(unsized{strings.NewReader(test.body)}), -1
				}
				response, err := s.Client().Do(request)
				if err != nil {
					t.Fatalf("the answer did not arrive: %v", err)
				}
				defer response.Body.Close()
				if response.StatusCode != test.status {
					t.Fatalf("got %s, want %d", response.Status, test.status)
				}
				if test.code == "" {
					return
				}
				if p := problem(t, response); p.Code != test.code || len(p.Errors) > 100 {
					t.Errorf("got code %q and %d errors, want %q and 100 at most", p.Code, len(p.Errors), test.code)
				}
				if n := s.events(t); n != 0 {
					t.Errorf("%d events were appended", n)
				}
			})
		}
	}
}

func unknownFields(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"field%d":1`, i)
	}
	return "{" + b.String()[1:] + "}"
}

// A client that writes everything before it reads anything gets to read why.
func TestABodyTooLargeFromASimpleClient(t *testing.T) {
	t.Parallel()
	for _, framing := range []string{"Content-Length: 10485760\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\na00000\r\n"} {
		s := serve(t, httpapi.Config{})
		var dialer net.Dialer
		conn, err := dialer.DialContext(t.Context(), "tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		head := "POST /v1/notifications HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
		if _, err := io.WriteString(conn, head+framing+strings.Repeat("x", 10<<20)+"\r\n0\r\n\r\n"); err != nil {
			t.Errorf("%q: the body was not taken: %v", framing, err)
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%q: the answer did not arrive: %v", framing, err)
		}
		if p := problem(t, response); p.Code != "too_large" {
			t.Errorf("%q: %+v", framing, p)
		}
		if err := errors.Join(response.Body.Close(), conn.Close()); err != nil {
			t.Error(err)
		}
	}
}

// An id that cannot be used is replaced, not refused.
func TestUnusableRequestIDs(t *testing.T) {
	t.Parallel()
	s := serve(t, httpapi.Config{})
	for _, given := range []string{"", "a b", strings.Repeat("x", 129)} {
		response := s.do(t, http.MethodGet, "/livez", "", "X-Request-Id", given)
		if got := response.Header.Get("X-Request-Id"); got == given || len(got) != 36 {
			t.Errorf("%q was answered with %q", given, got)
		}
	}
}

// What was sent is never sent back: not as a value, and not as the text around a
// syntax error.
func TestProblemsDoNotRepeatValues(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t"
	tests := map[string]struct{ method, path, body string }{
		"in a field":        {http.MethodPost, "/v1/notifications", `{"to":["user:s3cr3t!","s3cr3t"],"title":"","severity":"s3cr3t","link":"s3cr3t://","expires_at":"s3cr3t","data":"s3cr3t"}`},
		"in bad JSON":       {http.MethodPost, "/v1/notifications", `{"to":s3cr3t}`},
		"in a batch":        {http.MethodPost, "/v1/notifications/batch", `{"notifications":["s3cr3t"]}`},
		"in an alert":       {http.MethodPost, "/v1/alerts", `{"target":["s3cr3t","@s3cr3t!"],"severity":"s3cr3t"}`},
		"in ids":            {http.MethodPost, "/v1/users/alice/inbox/read", `{"ids":["s3cr3t"],"through":"s3cr3t"}`},
		"in a through":      {http.MethodPost, "/v1/users/alice/inbox/read", `{"through":"s3cr3t"}`},
		"in subscribers":    {http.MethodPost, "/v1/topics/t/subscribers", `{"add":["s3cr3t!"],"remove":["s3cr3t!"]}`},
		"in a path":         {http.MethodPut, "/v1/users/s3cr3t!/subscriptions/s3cr3t!", `{"min_severity":"s3cr3t"}`},
		"in a query":        {http.MethodGet, "/v1/users/alice/inbox?limit=s3cr3t&state=s3cr3t&topic=s3cr3t!&wait_for=s3cr3t&severity=s3cr3t", ""},
		"in an audit query": {http.MethodGet, "/v1/audit/events?after=s3cr3t&user=s3cr3t!&topic=s3cr3t!&from=s3cr3t&to=s3cr3t", ""},
		"in an id":          {http.MethodGet, "/v1/notifications/s3cr3t", ""},
		"in preferences": {http.MethodPut, "/v1/users/alice/preferences", `{"quiet_hours":{"from":"s3cr3t","to":"s3cr3t!","timezone":"s3cr3t"},` +
			`"muted_topics":["!s3cr3t"],"channels":{"email":{"min_severity":"s3cr3t"}}}`},
		"in an as_of":        {http.MethodGet, "/v1/users/alice/inbox?as_of=s3cr3t", ""},
		"in an unknown path": {http.MethodGet, "/s3cr3t", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, httpapi.Config{})
			response := s.do(t, test.method, test.path, test.body)
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(body), secret) || response.StatusCode < 400 && test.path != "/v1/notifications/batch" {
				t.Errorf("%s %s", response.Status, body)
			}
		})
	}
}

// Two requests with one key at the same moment: one of them publishes. The other
// is a replay where the bodies are the same, and refused where they are not.
func TestTwoWithOneKeyAtOnce(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		path   string
		bodies [2]string
	}{
		"the same body": {"/v1/notifications", [2]string{
			`{"to":["user:alice"],"title":"one"}`, `{"title":"one","to":["user:alice"],"severity":"normal"}`,
		}},
		"another body": {"/v1/notifications", [2]string{
			`{"to":["user:alice"],"title":"one"}`, `{"to":["user:alice"],"title":"two"}`,
		}},
		"the same alert": {"/v1/alerts", [2]string{
			`{"target":["@alice"],"message":"one"}`, `{"target":["@alice"],"message":"one"}`,
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, httpapi.Config{Reads: refusing{}})
			same := name != "another body"
			for round := range 50 {
				statuses, replayed, bodies := s.atOnce(t, test.path, fmt.Sprintf("key %d", round), test.bodies)
				slices.Sort(statuses)
				want := []int{http.StatusAccepted, http.StatusUnprocessableEntity}
				if same {
					want = []int{http.StatusAccepted, http.StatusAccepted}
				}
				if !slices.Equal(statuses, want) {
					t.Fatalf("round %d: got %v, want %v", round, statuses, want)
				}
				if same && (replayed != 1 || bodies[0] != bodies[1]) {
					t.Fatalf("round %d: %d replays, want 1; answers %q", round, replayed, bodies)
				}
				if n := s.events(t); n != round+1 {
					t.Fatalf("round %d: %d events, want %d", round, n, round+1)
				}
			}
		})
	}
}

// refusing is a read model that is away and says so at once.
type refusing struct{ away }

func (refusing) WaitFor(context.Context, events.Position) error { return errAway }

func (s *system) atOnce(t *testing.T, path, key string, bodies [2]string) (statuses []int, replayed int, answers []string) {
	t.Helper()
	var mu sync.Mutex
	var both sync.WaitGroup
	for _, body := range bodies {
		both.Go(func() {
			request := newRequest(t, http.MethodPost, s.URL+path, body)
			request.Header.Set("Idempotency-Key", key)
			response, err := s.Client().Do(request)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				return
			}
			defer response.Body.Close()
			answer, err := io.ReadAll(response.Body)
			if err != nil {
				t.Errorf("%s: %v", path, err)
			}
			mu.Lock()
			defer mu.Unlock()
			statuses, answers = append(statuses, response.StatusCode), append(answers, string(answer))
			if response.Header.Get("Idempotency-Replayed") != "" {
				replayed++
			}
		})
	}
	both.Wait()
	return statuses, replayed, answers
}
