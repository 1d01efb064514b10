package httpapi_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidings-io/tidings/internal/httpapi"
)

var rewrite = flag.Bool("rewrite", false, "write what the server answers into testdata/conversations")

// Each file is a conversation with a server of its own: requests, each with the
// answer below ----, the exchanges separated by ====. Lines before the first
// exchange that begin with # say what it is about. Ids that are random are named
// <id-1>, <id-2>, … in the order in which they appear, and can be used so.
func TestConversations(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/conversations/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no conversations: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := hold(t, string(text))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(strings.Split(string(text), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("%s: the server answers otherwise (-want +got):\n%s", file, diff)
			}
		})
	}
}

const (
	between = "\n====\n"
	answer  = "\n----\n"
	usual   = "conversation" // the id of requests that name no other

	streamAge = 2 * time.Second // a conversation reads streams to their end
)

// hold has a conversation again and returns it with the answers given now.
func hold(t *testing.T, text string) string {
	t.Helper()
	c := conversation{system: serveAll(t, httpapi.Config{Stream: httpapi.StreamOptions{MaxAge: streamAge}})}
	exchanges := strings.Split(strings.TrimSuffix(text, "\n"), between)
	for i, exchange := range exchanges {
		request, _, _ := strings.Cut(exchange+"\n", answer)
		request = strings.TrimRight(request, "\n")
		exchanges[i] = request + "\n" + answer[1:] + c.ask(t, request)
	}
	return strings.Join(exchanges, between) + "\n"
}

type conversation struct {
	*system

	ids []string // those named so far
}

var (
	randomID = regexp.MustCompile(`[0-9a-f]{8}-0000-[48]000-8000-000000000[0-9a-f]{3}`)
	someTime = regexp.MustCompile(`("| at )20[0-2]\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
)

// shown are the headers that a conversation shows.
var shown = []string{
	"Content-Type", "Tidings-Position", "Preference-Applied", "Idempotency-Replayed", "Retry-After", "Allow", "Connection",
}

func (c *conversation) ask(t *testing.T, text string) string {
	t.Helper()
	request := c.parse(t, text)
	response, err := c.Client().Do(request)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	defer response.Body.Close()
	var out strings.Builder
	fmt.Fprintf(&out, "%s\n", response.Status)
	names := shown
	if request.Header.Get("X-Request-Id") != usual {
		names = append(slices.Clip(names), "X-Request-Id")
	}
	for _, name := range names {
		if values := response.Header.Values(name); len(values) > 0 {
			fmt.Fprintf(&out, "%s: %s\n", name, strings.Join(values, ", "))
		}
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if len(body) > 0 {
		fmt.Fprintf(&out, "\n%s", pretty(body))
	}
	return strings.TrimRight(c.normal(out.String()), "\n")
}

// parse reads a request: comments, the line with method and path, headers, an
// empty line, the body.
func (c *conversation) parse(t *testing.T, text string) *http.Request {
	t.Helper()
	for strings.HasPrefix(text, "#") {
		_, text, _ = strings.Cut(text, "\n")
	}
	for i, id := range c.ids {
		text = strings.ReplaceAll(text, placeholder(i), id)
	}
	head, body, _ := strings.Cut(strings.TrimLeft(text, "\n"), "\n\n")
	lines := strings.Split(head, "\n")
	method, path, ok := strings.Cut(lines[0], " ")
	if !ok {
		t.Fatalf("%q is no request", lines[0])
	}
	request := newRequest(t, method, c.URL+path, body)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	request.Header.Set("X-Request-Id", usual)
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		if value = strings.TrimSpace(value); request.Header.Get(name) != "" {
			request.Header.Set(name, value) // in place of what is usual
			continue
		}
		request.Header.Add(name, value)
	}
	return request
}

func newRequest(t *testing.T, method, url, body string) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return request
}

func pretty(body []byte) string {
	var out bytes.Buffer
	if bytes.Count(bytes.TrimSpace(body), []byte("\n")) > 0 || json.Indent(&out, body, "", "  ") != nil {
		return string(body)
	}
	return out.String()
}

// normal replaces what differs from run to run.
func (c *conversation) normal(text string) string {
	text = randomID.ReplaceAllStringFunc(text, func(id string) string {
		for i, known := range c.ids {
			if id == known {
				return placeholder(i)
			}
		}
		c.ids = append(c.ids, id)
		return placeholder(len(c.ids) - 1)
	})
	return someTime.ReplaceAllString(text, `${1}<time>`)
}

func placeholder(i int) string { return fmt.Sprintf("<id-%d>", i+1) }
