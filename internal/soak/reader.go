package soak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Reader reads one user's live stream and keeps account of it. It reconnects whenever the stream ends, with the id it
// came to. Run does the work; the other methods may be called meanwhile.
type Reader struct {
	// URL is where the API is, such as http://127.0.0.1:8080.
	URL string
	// User is whose stream it is.
	User string
	// From is where the first connection starts: "earliest", a position, or "" for live only.
	From string
	// Client must not limit how long an answer takes; nil means http.DefaultClient.
	Client *http.Client
	// Pause returns how long to wait before connecting again; nil means 50 to 500 ms, at random.
	Pause func() time.Duration

	mu          sync.Mutex
	cursor      string         // the last id the stream gave
	position    uint64         // of the last event that had one; 0 before
	received    []string       // notification ids, in the order they came
	times       map[string]int // how often each came
	waiting     map[string]chan struct{}
	connections int           // streams that said connected
	connected   chan struct{} // closed at the first
	wrong       []string      // promises that were broken
}

const (
	// silence is how long a stream may say nothing: three heartbeats.
	silence = 45 * time.Second
	// Between two connections: short, as the test waits for it, and spread, as all readers lose theirs at once.
	shortestPause = 50 * time.Millisecond
	longestPause  = 500 * time.Millisecond
	// toldWrong bounds what a reader remembers of broken promises: the first tell most.
	toldWrong = 10
)

// Run reads until ctx ends, and then returns nil. It returns an error when the server refuses the stream for good.
func (r *Reader) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		err := r.connection(ctx)
		if _, refused := errors.AsType[*refusedError](err); refused {
			return fmt.Errorf("stream of %s: %w", r.User, err)
		}
		timer := time.NewTimer(r.pause())
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
	return nil
}

func (r *Reader) pause() time.Duration {
	if r.Pause != nil {
		return r.Pause()
	}
	return shortestPause + rand.N(longestPause-shortestPause)
}

// Connected waits until the first stream has said so.
func (r *Reader) Connected(ctx context.Context) error {
	r.mu.Lock()
	if r.connected == nil {
		r.connected = make(chan struct{})
	}
	connected := r.connected
	r.mu.Unlock()
	select {
	case <-connected:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the stream of %s: %w", r.User, context.Cause(ctx))
	}
}

// Received waits until a notification has come.
func (r *Reader) Received(ctx context.Context, notification string) error {
	r.mu.Lock()
	if r.times[notification] > 0 {
		r.mu.Unlock()
		return nil
	}
	if r.waiting == nil {
		r.waiting = map[string]chan struct{}{}
	}
	if r.waiting[notification] == nil {
		r.waiting[notification] = make(chan struct{})
	}
	came := r.waiting[notification]
	r.mu.Unlock()
	select {
	case <-came:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s waits for %s: %w", r.User, notification, context.Cause(ctx))
	}
}

// Count returns how many messages have come, and over how many connections.
func (r *Reader) Count() (messages, connections int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.received), r.connections
}

// Wrong returns what was wrong with all that has come: notifications of want that did not come, came twice or were not
// wanted, and promises that were broken on the way, such as positions that do not rise. None means that each came once,
// in order.
func (r *Reader) Wrong(want []string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	wrong := append([]string(nil), r.wrong...)
	wanted := make(map[string]bool, len(want))
	for _, id := range want {
		wanted[id] = true
		if n := r.times[id]; n != 1 {
			wrong = append(wrong, fmt.Sprintf("%s: got notification %s %d times, want once", r.User, id, n))
		}
	}
	for _, id := range r.received {
		if !wanted[id] {
			wrong = append(wrong, fmt.Sprintf("%s: got notification %s, want it never", r.User, id))
		}
	}
	return wrong
}

// refusedError is an answer that no repetition changes.
type refusedError struct{ status int }

func (e *refusedError) Error() string { return "the server answered " + strconv.Itoa(e.status) }

// connection reads one stream to its end, which it tells as an error.
func (r *Reader) connection(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	quiet := time.AfterFunc(silence, cancel)
	defer quiet.Stop()
	response, err := r.connect(ctx)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // an endless body is never read to its end
	if response.StatusCode != http.StatusOK {
		return statusError(response.StatusCode)
	}
	resumed := r.resumes()
	decoder := NewDecoder(response.Body)
	for first := true; ; first = false {
		event, err := decoder.Next()
		if err != nil {
			return err
		}
		quiet.Reset(silence)
		r.take(event, first, resumed)
	}
}

func statusError(status int) error {
	if status == http.StatusTooManyRequests || status >= http.StatusInternalServerError {
		return fmt.Errorf("the server answered %d", status)
	}
	return &refusedError{status}
}

func (r *Reader) connect(ctx context.Context) (*http.Response, error) {
	address := strings.TrimSuffix(r.URL, "/") + "/v1/users/" + url.PathEscape(r.User) + "/inbox/stream"
	cursor := r.resumes()
	if cursor == "" && r.From != "" {
		address += "?last_event_id=" + url.QueryEscape(r.From)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	request.Header.Set("Accept", "text/event-stream")
	if cursor != "" {
		request.Header.Set("Last-Event-ID", cursor)
	}
	client := r.Client
	if client == nil {
		client = http.DefaultClient
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return response, nil
}

// resumes returns the id the next connection goes on from, "" for none.
func (r *Reader) resumes() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cursor
}

// take accounts for one event. resumed is the id the connection was made with.
func (r *Reader) take(event Event, first bool, resumed string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if first != (event.Name == "connected") && event.Name != "busy" {
		r.broken("got %s %q as first event: %t, want connected to be first and only there", event.Name, event.Data, first)
	}
	switch event.Name {
	case "connected":
		r.greeted(event, resumed)
	case "message":
		r.message(event)
	case "state", "retracted":
		r.rise(event)
	case "reset":
		r.broken("got reset %s from %q, want every id to resume", event.Data, resumed)
	case "heartbeat", "busy":
	default:
		r.broken("got event %q, which the API does not have", event.Name)
	}
	if event.ID != "" {
		r.cursor = event.ID
	}
}

// greeted takes the first event of a stream. mu must be held.
func (r *Reader) greeted(event Event, resumed string) {
	if resumed != "" && event.ID != resumed {
		r.broken("got connected at %q, want the id given, %q", event.ID, resumed)
	}
	if position, err := strconv.ParseUint(event.ID, 10, 64); err == nil {
		r.position = max(r.position, position)
	}
	r.connections++
	if r.connected == nil {
		r.connected = make(chan struct{})
	}
	if r.connections == 1 {
		close(r.connected)
	}
}

// message takes an item. mu must be held.
func (r *Reader) message(event Event) {
	r.rise(event)
	var item struct {
		ID       string `json:"id"`
		Position string `json:"position"`
	}
	if err := json.Unmarshal([]byte(event.Data), &item); err != nil || item.ID == "" {
		r.broken("got message %q, want an item (%v)", event.Data, err)
		return
	}
	if item.Position != event.ID {
		r.broken("got message %s at %s with id %q, want its position", item.ID, item.Position, event.ID)
	}
	if r.times == nil {
		r.times = map[string]int{}
	}
	r.times[item.ID]++
	r.received = append(r.received, item.ID)
	if came := r.waiting[item.ID]; came != nil {
		close(came)
		delete(r.waiting, item.ID)
	}
}

// rise holds an event's id against the one before. mu must be held.
func (r *Reader) rise(event Event) {
	position, err := strconv.ParseUint(event.ID, 10, 64)
	if err != nil {
		r.broken("got %s with id %q, want a position", event.Name, event.ID)
		return
	}
	if position <= r.position {
		r.broken("got %s at %d after one at %d, want rising positions", event.Name, position, r.position)
	}
	r.position = position
}

// broken notes a broken promise. mu must be held.
func (r *Reader) broken(format string, args ...any) {
	if len(r.wrong) < toldWrong {
		r.wrong = append(r.wrong, r.User+": "+fmt.Sprintf(format, args...))
	}
}
