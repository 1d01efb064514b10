package workload

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// fake is the part of the API an import needs, in memory, without a network: it is a client's transport. It keeps the
// API's promises (membership by position, idempotency keys, the audit log, pages), takes its time at random, and fails
// at random if asked to.
type fake struct {
	latency time.Duration // at most, before and after a request takes effect
	trouble float64       // share of requests that fail, half of them after they took effect
	pageMax int           // items a page holds at most, whatever is asked for; 0 means no such limit
	refuse  func(*http.Request) *http.Response
	seen    func(n int) // told of each request as it arrives

	stragglers sync.WaitGroup // requests that go on after their client has left

	mu       sync.Mutex
	random   *rand.Rand
	requests int
	log      []fakeEvent
	member   map[pair]bool
	topics   map[string]map[string]bool // topic → members
	keys     map[string]int             // idempotency key → index into log
	inboxes  map[string][]fakeItem
}

type fakeEvent struct {
	category, stream, correlation string
	body                          string
}

type fakeItem struct{ ID, Position string }

func newFake(seed uint64) *fake {
	return &fake{
		random:  rand.New(rand.NewPCG(seed, 1)),
		member:  map[pair]bool{},
		topics:  map[string]map[string]bool{},
		keys:    map[string]int{},
		inboxes: map[string][]fakeItem{},
	}
}

func (f *fake) server() *Server {
	return &Server{URL: "http://fake", Client: &http.Client{Transport: f}}
}

var errCut = errors.New("connection reset by peer")

// RoundTrip answers a request. What it does goes on when the client has left, as it does on a server.
func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	early, late, trouble := f.arrive()
	type outcome struct {
		response *http.Response
		err      error
	}
	answered := make(chan outcome, 1)
	f.stragglers.Go(func() {
		<-time.After(early)
		response, err := f.respond(r, body, trouble)
		<-time.After(late)
		answered <- outcome{response, err}
	})
	select {
	case got := <-answered:
		return got.response, got.err
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

func (f *fake) arrive() (early, late time.Duration, trouble float64) {
	f.mu.Lock()
	f.requests++
	n := f.requests
	early = time.Duration(f.random.Int64N(int64(f.latency) + 1))
	late = time.Duration(f.random.Int64N(int64(f.latency) + 1))
	trouble = f.random.Float64()
	f.mu.Unlock()
	if f.seen != nil {
		f.seen(n)
	}
	return early, late, trouble
}

func (f *fake) respond(r *http.Request, body []byte, trouble float64) (*http.Response, error) {
	switch {
	case trouble < f.trouble/4:
		return nil, errCut
	case trouble < f.trouble/2:
		return problem(http.StatusServiceUnavailable, "store_unavailable", "the store is away"), nil
	}
	if f.refuse != nil {
		if response := f.refuse(r); response != nil {
			return response, nil
		}
	}
	response := f.serve(r, body)
	switch {
	case trouble < 3*f.trouble/4:
		return nil, errCut
	case trouble < f.trouble:
		return problem(http.StatusServiceUnavailable, "outcome_unknown", "it may have been"), nil
	}
	return response, nil
}

func (f *fake) serve(r *http.Request, body []byte) *http.Response {
	f.mu.Lock()
	defer f.mu.Unlock()
	var parts []string
	for part := range strings.SplitSeq(strings.TrimPrefix(r.URL.EscapedPath(), "/v1/"), "/") {
		part, err := url.PathUnescape(part)
		if err != nil {
			return problem(http.StatusBadRequest, "bad_path", err.Error())
		}
		parts = append(parts, part)
	}
	switch {
	case r.Method == http.MethodPost && parts[0] == "notifications":
		return f.publish(r, body)
	case len(parts) == 4 && parts[0] == "users" && parts[2] == "subscriptions":
		return f.change(r, pair{parts[1], parts[3]})
	case len(parts) == 3 && parts[2] == "subscriptions":
		return f.subscriptions(r, parts[1])
	case len(parts) == 3 && parts[2] == "inbox":
		return f.inbox(r, parts[1])
	case parts[0] == "audit":
		return f.audit(r)
	default:
		return problem(http.StatusNotFound, "no_route", r.URL.Path)
	}
}

func (f *fake) change(r *http.Request, p pair) *http.Response {
	subscribe := r.Method == http.MethodPut
	if f.member[p] != subscribe {
		f.member[p] = subscribe
		if f.topics[p.topic] == nil {
			f.topics[p.topic] = map[string]bool{}
		}
		f.topics[p.topic][p.user] = subscribe
		f.append(r, "subscription", "subscription-"+p.user+"/"+p.topic, "")
	}
	return answer(http.StatusOK, map[string]string{"position": f.head()})
}

func (f *fake) publish(r *http.Request, body []byte) *http.Response {
	key := r.Header.Get("Idempotency-Key")
	if at, ok := f.keys[key]; ok {
		if f.log[at].body != string(body) {
			return problem(http.StatusUnprocessableEntity, "idempotency_key_reused", key)
		}
		response := answer(http.StatusAccepted, map[string]string{"id": noticeOf(key), "position": position(at)})
		response.Header.Set("Idempotency-Replayed", "true")
		return response
	}
	var n notificationBody
	if err := json.Unmarshal(body, &n); err != nil {
		return problem(http.StatusBadRequest, "malformed", err.Error())
	}
	f.keys[key] = len(f.log)
	f.append(r, "notification", "notification-"+noticeOf(key), string(body))
	reached := map[string]bool{}
	for _, target := range n.To {
		for user, is := range f.topics[strings.TrimPrefix(target, "topic:")] {
			if is {
				reached[user] = true
			}
		}
	}
	for user := range reached {
		f.inboxes[user] = append(f.inboxes[user], fakeItem{noticeOf(key), f.head()})
	}
	return answer(http.StatusAccepted, map[string]string{"id": noticeOf(key), "status": "published", "position": f.head()})
}

// noticeOf makes an id that a publish's own cannot be taken for.
func noticeOf(key string) string { return "n-" + key }

func (f *fake) append(r *http.Request, category, stream, body string) {
	f.log = append(f.log, fakeEvent{category, stream, r.Header.Get("X-Request-Id"), body})
}

func (f *fake) head() string { return position(len(f.log) - 1) }

// position leaves gaps, as a filtered view of a log does.
func position(index int) string { return strconv.Itoa(10 * (index + 1)) }

func (f *fake) audit(r *http.Request) *http.Response {
	type metadata struct {
		Correlation string `json:"$correlationId"`
	}
	type item struct {
		Stream   string   `json:"stream"`
		Position string   `json:"position"`
		Metadata metadata `json:"metadata"`
	}
	after, _ := strconv.Atoi(r.URL.Query().Get("after"))
	limit := f.limit(r)
	items := []item{}
	for i := range f.log {
		at, _ := strconv.Atoi(position(i))
		if e := f.log[i]; e.category == r.URL.Query().Get("category") && at > after && len(items) < limit {
			items = append(items, item{e.stream, position(i), metadata{e.correlation}})
		}
	}
	return answer(http.StatusOK, map[string]any{"items": items, "next_cursor": ""})
}

func (f *fake) limit(r *http.Request) int {
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	if f.pageMax > 0 {
		limit = min(limit, f.pageMax)
	}
	return limit
}

func (f *fake) inbox(r *http.Request, user string) *http.Response {
	newest := slices.Clone(f.inboxes[user])
	slices.Reverse(newest)
	type item struct {
		ID       string `json:"id"`
		Position string `json:"position"`
		Title    string `json:"title"`
	}
	return page(r, f.limit(r), newest, func(i fakeItem) item { return item{i.ID, i.Position, "ignored"} })
}

func (f *fake) subscriptions(r *http.Request, user string) *http.Response {
	var topics []string
	for p, is := range f.member {
		if is && p.user == user {
			topics = append(topics, p.topic)
		}
	}
	slices.Sort(topics)
	return page(r, f.limit(r), topics, func(topic string) map[string]string { return map[string]string{"topic": topic} })
}

func page[T, U any](r *http.Request, limit int, all []T, show func(T) U) *http.Response {
	from, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
	to := min(from+limit, len(all))
	items := []U{}
	for _, one := range all[from:to] {
		items = append(items, show(one))
	}
	next := ""
	if to < len(all) {
		next = strconv.Itoa(to)
	}
	return answer(http.StatusOK, map[string]any{"items": items, "next_cursor": next})
}

func answer(status int, body any) *http.Response {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(text))}
}

func problem(status int, code, detail string) *http.Response {
	return answer(status, map[string]any{"status": status, "code": code, "detail": detail})
}

// twice returns the correlation ids that have more than one event: lines that took effect twice.
func (f *fake) twice() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	events := map[string]int{}
	for _, e := range f.log {
		events[e.correlation]++
	}
	maps.DeleteFunc(events, func(_ string, n int) bool { return n == 1 })
	return slices.Sorted(maps.Keys(events))
}

// inboxDirectly returns what the inboxes hold, by publish id, without asking over HTTP.
func (f *fake) inboxDirectly() map[string][]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := map[string][]string{}
	for user, items := range f.inboxes {
		for _, item := range items {
			all[user] = append(all[user], strings.TrimPrefix(item.ID, "n-"))
		}
	}
	return all
}

// membersDirectly returns who follows what, as "user topic".
func (f *fake) membersDirectly() map[string]bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := map[string]bool{}
	for p, is := range f.member {
		if is {
			all[p.user+" "+p.topic] = true
		}
	}
	return all
}

// killAt returns a context that ends when the n-th request from now arrives.
func (f *fake) killAt(ctx context.Context, n int) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	f.mu.Lock()
	at := f.requests + n
	f.mu.Unlock()
	f.seen = func(request int) {
		if request == at {
			cancel(fmt.Errorf("killed at request %d", request))
		}
	}
	return ctx, func() { cancel(nil) }
}
