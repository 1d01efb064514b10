package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/commands"
	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/memory"
	"github.com/tidings-io/tidings/internal/httpapi"
	"github.com/tidings-io/tidings/internal/live"
	"github.com/tidings-io/tidings/internal/queries"
	"github.com/tidings-io/tidings/internal/workload"
)

// instance is the real API before a log in memory and no read model, reached without a network: it is a client's
// transport. It loses requests and answers at random if asked to.
type instance struct {
	store   *memory.Store
	handler http.Handler

	mu       sync.Mutex
	random   *rand.Rand
	trouble  float64 // share of requests that fail, half of them after they took effect
	requests int
	seen     func(n int) // told of each request as it arrives
	refuse   func(*http.Request) *http.Response
}

// noReads is what a read model that is not there answers: nobody asks it.
type noReads struct{ httpapi.Reads }

// WaitFor is what alerts wait for unasked.
func (noReads) WaitFor(context.Context, events.Position) error { return queries.ErrUnavailable }

func newInstance(t *testing.T, random *rand.Rand) *instance {
	t.Helper()
	i := &instance{store: &memory.Store{}, random: random}
	id := uuid.New()
	if _, err := commands.Handle(t.Context(), i.store, events.Metadata{CommandID: id, Attempt: id}, commands.NameStore{ID: id}); err != nil {
		t.Fatal(err)
	}
	var err error
	i.handler, err = httpapi.New(httpapi.Config{Store: i.store, Log: i.store, Reads: noReads{}, Hub: &live.Hub{}, Stream: httpapi.StreamOptions{Retry: time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func (i *instance) server() *workload.Server {
	return &workload.Server{URL: "http://instance", Client: &http.Client{Transport: i}}
}

var errCut = errors.New("connection reset by peer")

// RoundTrip answers a request. What it does goes on when the client has left, as it does on a server.
func (i *instance) RoundTrip(r *http.Request) (*http.Response, error) {
	early, late, broken := i.arrive()
	if err := workload.Pause(r.Context(), early); err != nil {
		return nil, err
	}
	if i.refuse != nil {
		if no := i.refuse(r); no != nil {
			return no, nil
		}
	}
	if broken == lost {
		return nil, errCut
	}
	if broken == busy {
		return answered(r, http.StatusServiceUnavailable, `{"code":"store_unavailable"}`, "Retry-After", "1"), nil
	}
	recorder := httptest.NewRecorder()
	// A server's request always has a body, if an empty one.
	served := r.Clone(context.WithoutCancel(r.Context()))
	served.Host, served.RequestURI = "instance", r.URL.RequestURI()
	if served.Body == nil {
		served.Body = http.NoBody
	}
	i.handler.ServeHTTP(recorder, served)
	if err := workload.Pause(r.Context(), late); err != nil {
		return nil, err
	}
	if broken == cut && r.Header.Get("Accept") != ndjson {
		return nil, errCut
	}
	response := recorder.Result()
	response.Request = r
	if broken == cut {
		text, _ := io.ReadAll(response.Body)
		response.Body = io.NopCloser(io.MultiReader(bytes.NewReader(text[:i.upTo(len(text))]), fails{io.ErrUnexpectedEOF}))
	}
	return response, nil
}

const ndjson = "application/x-ndjson"

type fails struct{ err error }

func (f fails) Read([]byte) (int, error) { return 0, f.err }

// fate is what becomes of a request.
type fate int

const (
	well fate = iota
	lost      // before it took effect
	busy      // refused for now
	cut       // the answer, after it took effect
)

// arrive draws what becomes of a request, and how long it takes on its way in and out.
func (i *instance) arrive() (early, late time.Duration, becomes fate) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.requests++
	if i.seen != nil {
		i.seen(i.requests)
	}
	if i.random.Float64() < i.trouble {
		becomes = fate(1 + i.random.IntN(3))
	}
	return time.Duration(i.random.IntN(1000)) * time.Microsecond, time.Duration(i.random.IntN(1000)) * time.Microsecond, becomes
}

func (i *instance) upTo(n int) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.random.IntN(n + 1)
}

func answered(r *http.Request, status int, body string, header ...string) *http.Response {
	recorder := httptest.NewRecorder()
	for at := 0; at < len(header); at += 2 {
		recorder.Header().Set(header[at], header[at+1])
	}
	recorder.WriteHeader(status)
	recorder.WriteString(body)
	response := recorder.Result()
	response.Request = r
	return response
}

// ask sends a request and returns the id and the position it was answered with.
func (i *instance) ask(t *testing.T, method, path string, body any, headers ...string) answer {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	if body == nil {
		text = nil
	}
	r := httptest.NewRequestWithContext(t.Context(), method, "http://instance"+path, bytes.NewReader(text))
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for at := 0; at < len(headers); at += 2 {
		r.Header.Set(headers[at], headers[at+1])
	}
	recorder := httptest.NewRecorder()
	i.handler.ServeHTTP(recorder, r)
	if recorder.Code >= http.StatusMultipleChoices {
		t.Fatalf("%s %s %s: got %d %s", method, path, text, recorder.Code, recorder.Body)
	}
	var got answer
	if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil {
		t.Fatalf("%s %s: %v: %s", method, path, err, recorder.Body)
	}
	return got
}

// log is everything that is recorded, in today's form.
func (i *instance) log(t *testing.T) []events.Recorded {
	t.Helper()
	var all []events.Recorded
	for stored, err := range i.store.ReadAll(t.Context(), 0, events.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		recorded, err := events.Decode(stored)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, recorded)
	}
	return all
}

// types are those of the log, in order, for messages.
func types(log []events.Recorded) string {
	var b strings.Builder
	for _, r := range log {
		fmt.Fprintf(&b, "%d %s %+v\n", r.Position, r.Event.Type(), r.Event)
	}
	return b.String()
}
