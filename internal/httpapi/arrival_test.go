package httpapi_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tidings-io/tidings/internal/eventstore/memory"
	"github.com/tidings-io/tidings/internal/httpapi"
	"github.com/tidings-io/tidings/internal/live"
)

// TestUnfinishedRequestsAreRefused speaks to a real server: what net/http does with
// a request that breaks off is part of the answer.
func TestUnfinishedRequestsAreRefused(t *testing.T) {
	t.Parallel()
	const publish = "POST /v1/notifications HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
	cases := map[string]struct {
		request   string
		halfClose bool
		status    int
		code      string
	}{
		"a body that stalls":                    {request: publish + "Content-Length: 50\r\n\r\n{\"to", status: 408, code: "request_timeout"},
		"a body that stalls, to be the last":    {request: publish + "Connection: close\r\nContent-Length: 50\r\n\r\n{\"to", status: 408, code: "request_timeout"},
		"a chunked body that stalls":            {request: publish + "Transfer-Encoding: chunked\r\n\r\n4\r\n{\"to\r\n", status: 408, code: "request_timeout"},
		"a body that breaks off":                {request: publish + "Content-Length: 50\r\n\r\n{\"to", halfClose: true, status: 400, code: "malformed"},
		"a chunked body that breaks off":        {request: publish + "Transfer-Encoding: chunked\r\n\r\n4\r\n{\"to\r\n", halfClose: true, status: 400, code: "malformed"},
		"a body that would be too large":        {request: publish + "Content-Length: 300000\r\n\r\n{\"to", status: 413, code: "too_large"},
		"a body that would be absurd":           {request: publish + "Content-Length: 9223372036854775807\r\n\r\n{\"to", status: 413, code: "too_large"},
		"a body that nobody asked for":          {request: "DELETE /v1/users/a/subscriptions/b HTTP/1.1\r\nHost: t\r\nContent-Length: 50\r\n\r\nx", status: 200},
		"a path that is not UTF-8":              {request: "GET /v1/topics/%ff HTTP/1.1\r\nHost: t\r\n\r\n", status: 400, code: "malformed"},
		"a path that is not UTF-8, with a body": {request: "PUT /v1/users/a/subscriptions/%ff HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\n{}", status: 400, code: "malformed"},
	}
	address := shortOfTime(t)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(15 * time.Second))
			fmt.Fprint(conn, c.request)
			if c.halfClose {
				if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
					t.Fatal(err)
				}
			}
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatalf("no answer: %v", err)
			}
			defer answer.Body.Close()
			text, err := io.ReadAll(answer.Body)
			if err != nil {
				t.Fatal(err)
			}
			if answer.StatusCode != c.status || c.code != "" && !strings.Contains(string(text), `"code":"`+c.code+`"`) {
				t.Errorf("got %s %s, want %d %s", answer.Status, text, c.status, c.code)
			}
		})
	}
}

// shortOfTime serves commands with little patience for bodies.
func shortOfTime(t *testing.T) string {
	t.Helper()
	store := &memory.Store{}
	handler, err := httpapi.New(httpapi.Config{
		Store: store, Log: store, Reads: noReads{}, Hub: &live.Hub{}, BodyTimeout: 300 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// noReads is for requests that never come to a question.
type noReads struct{ httpapi.Reads }

func TestAuditWaits(t *testing.T) {
	t.Parallel()
	address := shortOfTime(t)
	get := func(query string, header string) int {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/v1/audit/events?"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		if header != "" {
			r.Header.Set("Tidings-Position", header)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		return answer.StatusCode
	}
	for name, c := range map[string]struct {
		query, header string
		status        int
	}{
		"no position":              {status: http.StatusOK},
		"a position it has":        {query: "wait_for=0", status: http.StatusOK},
		"a position it has not":    {query: "wait_for=7", status: http.StatusServiceUnavailable},
		"the same in the header":   {header: "7", status: http.StatusServiceUnavailable},
		"no position at all":       {query: "wait_for=abc", status: http.StatusUnprocessableEntity},
		"a cursor":                 {query: "cursor=0", status: http.StatusOK},
		"a cursor of another list": {query: "cursor=abc", status: http.StatusUnprocessableEntity},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := get(c.query, c.header); got != c.status {
				t.Errorf("got %d, want %d", got, c.status)
			}
		})
	}
}
