package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings-io/tidings/internal/commands"
	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/memory"
	"github.com/tidings-io/tidings/internal/httpapi"
	"github.com/tidings-io/tidings/internal/live"
	"github.com/tidings-io/tidings/internal/queries"
)

// broken is a store that answers every call with one error, appends only from the
// given one on.
type broken struct {
	commands.Store

	err   error
	after int // appends that succeed first
	panic any
}

func (b *broken) Head(context.Context) (events.Position, error) { return 0, b.err }

func (b *broken) Append(ctx context.Context, stream events.StreamName, expected events.Expected, evs ...events.Proposed) (events.Appended, error) {
	if b.panic != nil {
		panic(b.panic)
	}
	if b.after--; b.after >= 0 {
		return b.Store.Append(ctx, stream, expected, evs...)
	}
	return events.Appended{}, b.err
}

func (b *broken) Read(ctx context.Context, stream events.StreamName, from events.Revision) iter.Seq2[events.Stored, error] {
	if b.panic != nil {
		panic(b.panic)
	}
	if b.after > 0 {
		return b.Store.Read(ctx, stream, from)
	}
	return func(yield func(events.Stored, error) bool) { yield(events.Stored{}, b.err) }
}

func (b *broken) Subscribe(context.Context, events.Position) iter.Seq2[events.Message, error] {
	return func(yield func(events.Message, error) bool) { yield(events.Message{}, b.err) }
}

func (b *broken) SubscribeTo(ctx context.Context, after events.Position, _ ...string) iter.Seq2[events.Message, error] {
	return b.Subscribe(ctx, after)
}

func (b *broken) ReadAll(context.Context, events.Position, events.Filter) iter.Seq2[events.Stored, error] {
	return func(yield func(events.Stored, error) bool) { yield(events.Stored{}, b.err) }
}

func TestStoreFaultsAreSaidTruly(t *testing.T) {
	t.Parallel()
	faults := map[string]struct {
		err    error
		status int
		code   string
	}{
		"the store is away":          {events.ErrStoreUnavailable, http.StatusServiceUnavailable, "store_unavailable"},
		"nobody knows what happened": {fmt.Errorf("%w: %w", events.ErrStoreUnavailable, events.ErrOutcomeUnknown), http.StatusServiceUnavailable, "outcome_unknown"},
		"a stream deleted for good":  {events.ErrStreamDeleted, http.StatusConflict, "stream_deleted"},
		"too large for the store":    {events.ErrTooLarge, http.StatusRequestEntityTooLarge, "too_large"},
		"anything else":              {errors.New("secret address"), http.StatusInternalServerError, "internal"},
	}
	requests := map[string]struct {
		method, path, body string
		named              bool // an outcome that is unknown names the notification
	}{
		"subscribe":   {http.MethodPut, "/v1/users/alice/subscriptions/builds", "", false},
		"unsubscribe": {http.MethodDelete, "/v1/users/alice/subscriptions/builds", "", false},
		"subscribers": {http.MethodPost, "/v1/topics/builds/subscribers", `{"add":["alice"]}`, false},
		"topic":       {http.MethodPut, "/v1/topics/builds", `{"description":""}`, false},
		"publish":     {http.MethodPost, "/v1/notifications", `{"to":["user:alice"],"title":"t"}`, true},
		"alert":       {http.MethodPost, "/v1/alerts", `{"target":["@alice"],"message":"t"}`, true},
		"batch":       {http.MethodPost, "/v1/notifications/batch", `{"notifications":[{},{"to":["user:alice"],"title":"t"}]}`, true},
		"retract":     {http.MethodDelete, "/v1/notifications/00000000-0000-4000-8000-000000000001", "", true},
		"read":        {http.MethodPost, "/v1/users/alice/inbox/read", `{"through":"1"}`, false},
	}
	for name, fault := range faults {
		for command, request := range requests {
			t.Run(name+", "+command, func(t *testing.T) {
				t.Parallel()
				s := serve(t, httpapi.Config{Store: &broken{err: fmt.Errorf("append: %w", fault.err)}})
				response := s.do(t, request.method, request.path, request.body, "Prefer", "wait=30")
				p := problem(t, response)
				if p.Status != fault.status || p.Code != fault.code {
					t.Errorf("got %d %s, want %d %s", p.Status, p.Code, fault.status, fault.code)
				}
				if strings.Contains(p.Detail, "secret") {
					t.Errorf("the detail tells what is not the client's to know: %q", p.Detail)
				}
				if wants, has := p.Status == http.StatusServiceUnavailable, response.Header.Get("Retry-After") != ""; wants != has {
					t.Errorf("Retry-After %q with %d", response.Header.Get("Retry-After"), p.Status)
				}
				if wants, has := request.named && fault.code == "outcome_unknown", p.ID != ""; wants != has {
					t.Errorf("id %q, want one: %t", p.ID, wants)
				}
			})
		}
	}
}

// The id that the problem carries is the one that a repeat with the same key has.
func TestAnUnknownOutcomeNamesTheNotification(t *testing.T) {
	t.Parallel()
	headers := []string{"Idempotency-Key", "k"}
	const body = `{"to":["user:alice"],"title":"t"}`
	gone := serve(t, httpapi.Config{Store: &broken{err: events.ErrOutcomeUnknown}})
	p := problem(t, gone.do(t, http.MethodPost, "/v1/notifications", body, headers...))
	back := serve(t, httpapi.Config{})
	var answer struct {
		ID string `json:"id"`
	}
	if err := json.NewDecoder(back.do(t, http.MethodPost, "/v1/notifications", body, headers...).Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if p.ID == "" || p.ID != answer.ID {
		t.Errorf("the problem names %q, the repeat is %q", p.ID, answer.ID)
	}
}

// A batch of which a part was appended before the store went away says which.
func TestABatchCutInTheMiddle(t *testing.T) {
	t.Parallel()
	s := serve(t, httpapi.Config{})
	half := serve(t, httpapi.Config{Store: &broken{Store: s.store, err: events.ErrOutcomeUnknown, after: 1}, Log: s.store})
	entry := `{"to":["user:alice"],"title":"t","data":{"x":"` + strings.Repeat("x", 60<<10) + `"}}`
	body := `{"notifications":[` + strings.Repeat(entry+",", 29) + entry + `]}`
	response := half.do(t, http.MethodPost, "/v1/notifications/batch", body, "Idempotency-Key", "k")
	var answer struct {
		Position events.Position `json:"position"`
		Results  []struct {
			ID       string          `json:"id"`
			Code     string          `json:"code"`
			Position events.Position `json:"position"`
		} `json:"results"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode != http.StatusAccepted {
		t.Fatalf("%s: %v", response.Status, err)
	}
	published, unknown := 0, 0
	for i, result := range answer.Results {
		switch {
		case result.ID == "":
			t.Errorf("result %d has no id", i)
		case result.Code == "" && result.Position > 0:
			published++
		case result.Code == "outcome_unknown":
			unknown++
		}
	}
	if published == 0 || unknown == 0 || published+unknown != 30 || answer.Position == 0 {
		t.Errorf("%d published, %d unknown, position %s", published, unknown, answer.Position)
	}
}

// Commands stand when the read model is away, whatever they would wait for;
// queries say that it is.
func TestReadModelAway(t *testing.T) {
	t.Parallel()
	s := serve(t, httpapi.Config{Reads: refusing{}})
	response := s.do(t, http.MethodPost, "/v1/notifications", `{"to":["user:alice"],"title":"t"}`, "Prefer", "wait=30")
	if response.StatusCode != http.StatusAccepted || response.Header.Get("Preference-Applied") != "" {
		t.Errorf("publish: %s, Preference-Applied %q", response.Status, response.Header.Get("Preference-Applied"))
	}
	response = s.do(t, http.MethodPost, "/v1/alerts", `{"target":["@alice"],"message":"t"}`)
	if body, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusAccepted || !strings.Contains(string(body), `"userCount":null`) {
		t.Errorf("alert: %s %s %v", response.Status, body, err)
	}
	for _, path := range []string{
		"/v1/users/alice/inbox", "/v1/users/alice/inbox/counts", "/v1/users/alice/subscriptions", "/v1/users/alice/preferences",
		"/v1/topics", "/v1/topics/builds",
		"/v1/topics/builds/subscribers", "/v1/notifications/00000000-0000-4000-8000-000000000001", "/v1/users/alice/inbox?wait_for=1",
	} {
		response := s.do(t, http.MethodGet, path, "")
		if p := problem(t, response); p.Code != "database_unavailable" || response.Header.Get("Retry-After") == "" {
			t.Errorf("%s: got %d %s, Retry-After %q", path, p.Status, p.Code, response.Header.Get("Retry-After"))
		}
	}
}

// A wait that ends first leaves the command's answer as it is without one, and a
// query's a 503.
func TestWaitsThatEndFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &memory.Store{}
		handler, err := httpapi.New(httpapi.Config{Store: store, Log: store, Hub: &live.Hub{}, Reads: late{}})
		if err != nil {
			t.Fatal(err)
		}
		ask := func(method, path, prefer string) (*http.Response, time.Duration) {
			began, w := time.Now(), httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
			r.Header.Set("Prefer", prefer)
			handler.ServeHTTP(w, r)
			return w.Result(), time.Since(began)
		}
		for prefer, want := range map[string]time.Duration{
			"": 0, "wait=0": 0, "wait=7": 7 * time.Second, "wait=31": 30 * time.Second, "wait=x": 0, "wait=-1": 0, "wait": 0,
			"handling=lenient, wait=2": 2 * time.Second, `WAIT = "3" ; a=b`: 3 * time.Second, "wait=1, wait=20": time.Second,
		} {
			response, took := ask(http.MethodPut, "/v1/users/alice/subscriptions/builds", prefer)
			if response.StatusCode >= http.StatusBadRequest || response.Header.Get("Preference-Applied") != "" || took != want {
				t.Errorf("subscribe, %q: %s after %s, want %s; Preference-Applied %q",
					prefer, response.Status, took, want, response.Header.Get("Preference-Applied"))
			}
		}
		response, took := ask(http.MethodGet, "/v1/users/alice/inbox?wait_for=9", "")
		if p := problem(t, response); p.Code != "not_yet_projected" || response.Header.Get("Retry-After") != "1" || took != 5*time.Second {
			t.Errorf("inbox: %d %s after %s, Retry-After %q", p.Status, p.Code, took, response.Header.Get("Retry-After"))
		}
	})
}

// hangs is a store that answers nobody.
type hangs struct{ commands.Store }

func (hangs) Head(ctx context.Context) (events.Position, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

func (hangs) Append(ctx context.Context, _ events.StreamName, _ events.Expected, _ ...events.Proposed) (events.Appended, error) {
	<-ctx.Done()
	return events.Appended{}, ctx.Err()
}

func (h hangs) Subscribe(ctx context.Context, _ events.Position) iter.Seq2[events.Message, error] {
	return func(yield func(events.Message, error) bool) {
		<-ctx.Done()
		yield(events.Message{}, ctx.Err())
	}
}

func (h hangs) SubscribeTo(ctx context.Context, after events.Position, _ ...string) iter.Seq2[events.Message, error] {
	return h.Subscribe(ctx, after)
}

func (hangs) ReadAll(ctx context.Context, after events.Position, _ events.Filter) iter.Seq2[events.Stored, error] {
	return func(yield func(events.Stored, error) bool) {
		if after == 0 && !yield(events.Stored{Stream: "store", Type: "T", Position: 7}, nil) {
			return
		}
		<-ctx.Done()
		yield(events.Stored{}, ctx.Err())
	}
}

// A store that keeps no deadline keeps no request: what was to be written is
// unknown, and a search goes on where it was.
func TestAStoreThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		handler, err := httpapi.New(httpapi.Config{Store: hangs{}, Log: hangs{}, Hub: &live.Hub{}, Reads: away{}})
		if err != nil {
			t.Fatal(err)
		}
		send := func(method, path, body string) *http.Response {
			w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
			handler.ServeHTTP(w, r)
			return w.Result()
		}
		response := send(http.MethodPost, "/v1/notifications", `{"to":["user:alice"],"title":"t"}`)
		if p := problem(t, response); p.Code != "outcome_unknown" || p.ID == "" {
			t.Errorf("publish: %+v", p)
		}
		response = send(http.MethodGet, "/v1/audit/events?user=alice", "")
		if body, err := io.ReadAll(response.Body); err != nil || string(body) != `{"items":[],"next_cursor":"7"}`+"\n" {
			t.Errorf("audit: %s %s %v", response.Status, body, err)
		}
		if p := problem(t, send(http.MethodGet, "/v1/audit/events?after=7", "")); p.Code != "store_unavailable" {
			t.Errorf("audit, nothing found: %+v", p)
		}
	})
}

// demanding is a read model that is there, and remembers what was demanded of the
// snapshots that answer.
type demanding struct {
	away // for what takes no demands

	demands []queries.AtLeast
}

func (*demanding) WaitFor(context.Context, events.Position) error { return nil }

func (d *demanding) Inbox(_ context.Context, _ queries.InboxQuery, at ...queries.AtLeast) (queries.InboxPage, error) {
	d.demands = append(d.demands, at...)
	return queries.InboxPage{}, nil
}

func (d *demanding) Counts(_ context.Context, _ events.User, _ queries.AsOf, at ...queries.AtLeast) (queries.Counts, error) {
	d.demands = append(d.demands, at...)
	return queries.Counts{}, nil
}

func (d *demanding) Subscriptions(_ context.Context, _ events.User, _ int, _ string, at ...queries.AtLeast) (queries.Page[queries.Subscription], error) {
	d.demands = append(d.demands, at...)
	return queries.Page[queries.Subscription]{}, nil
}

func (d *demanding) Topics(_ context.Context, _ int, _ string, at ...queries.AtLeast) (queries.Page[queries.Topic], error) {
	d.demands = append(d.demands, at...)
	return queries.Page[queries.Topic]{}, nil
}

func (d *demanding) Topic(_ context.Context, _ events.Topic, at ...queries.AtLeast) (queries.Topic, error) {
	d.demands = append(d.demands, at...)
	return queries.Topic{}, nil
}

func (d *demanding) Subscribers(_ context.Context, _ queries.SubscribersQuery, at ...queries.AtLeast) (queries.Page[queries.Subscriber], error) {
	d.demands = append(d.demands, at...)
	return queries.Page[queries.Subscriber]{}, nil
}

func (*demanding) Explain(context.Context, uuid.UUID, events.User) (queries.Explanation, error) {
	return queries.Explanation{}, errAway
}

func (d *demanding) Preferences(_ context.Context, _ events.User, at ...queries.AtLeast) (queries.Preferences, error) {
	d.demands = append(d.demands, at...)
	return queries.Preferences{}, nil
}

func (d *demanding) Notification(_ context.Context, _ uuid.UUID, at ...queries.AtLeast) (queries.Notification, error) {
	d.demands = append(d.demands, at...)
	return queries.Notification{}, nil
}

func (*demanding) Recipients(context.Context, uuid.UUID, ...queries.AtLeast) (queries.Recipients, error) {
	return queries.Recipients{}, errAway // it went away after the wait
}

// Having waited is not enough: another replica may answer, so that the snapshot
// itself has to have passed the position. The higher of two demands counts.
func TestSnapshotsMustHavePassedThePosition(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"/v1/users/alice/inbox", "/v1/users/alice/inbox/counts", "/v1/users/alice/subscriptions", "/v1/users/alice/preferences",
		"/v1/topics", "/v1/topics/builds",
		"/v1/topics/builds/subscribers", "/v1/notifications/00000000-0000-4000-8000-000000000001",
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			reads := &demanding{}
			s := serve(t, httpapi.Config{Reads: reads})
			s.do(t, http.MethodGet, path+"?wait_for=41", "")
			s.do(t, http.MethodGet, path+"?wait_for=41", "", "Tidings-Position", "42")
			if want := []queries.AtLeast{41, 42}; !slices.Equal(reads.demands, want) {
				t.Errorf("demanded %v, want %v", reads.demands, want)
			}
		})
	}
}

// A wait that was honoured, but not the question it was for, is as none.
func TestRecipientsThatCannotBeCounted(t *testing.T) {
	t.Parallel()
	s := serve(t, httpapi.Config{Reads: &demanding{}})
	response := s.do(t, http.MethodPost, "/v1/notifications", `{"to":["user:alice"],"title":"t"}`, "Prefer", "wait=5")
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusAccepted || response.Header.Get("Preference-Applied") != "" || strings.Contains(string(body), "recipients") {
		t.Errorf("publish: %s %s %v", response.Status, body, err)
	}
	response = s.do(t, http.MethodPost, "/v1/alerts", `{"target":["@alice"],"message":"t"}`)
	if body, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusAccepted || !strings.Contains(string(body), `"userCount":null`) {
		t.Errorf("alert: %s %s %v", response.Status, body, err)
	}
}

// A client that left is nobody's fault: nothing is logged, it is counted apart, and
// the connection is closed rather than answered with a 200 that nobody wrote.
func TestAClientThatLeft(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	registry := prometheus.NewRegistry()
	handler, err := httpapi.New(httpapi.Config{
		Store: hangs{}, Log: hangs{}, Hub: &live.Hub{}, Reads: away{},
		Registerer: registry, Gatherer: registry, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(t.Context())
	leave()
	func() {
		defer func() {
			if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // a value of panic, compared as net/http does
				t.Errorf("got the panic %v, want the connection closed", p)
			}
		}()
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/notifications", strings.NewReader(`{"to":["user:alice"],"title":"t"}`)))
	}()
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if line := `tidings_http_requests_total{code="499",method="POST",route="/v1/notifications"} 1`; !strings.Contains(w.Body.String(), line+"\n") {
		t.Errorf("/metrics lacks %s", line)
	}
	if log.Len() > 0 {
		t.Errorf("logged %s", log.String())
	}
}

// A fault nobody foresaw is in the log, under the request's id, and not in the answer.
func TestUnforeseenFaultsAreLogged(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	s := serve(t, httpapi.Config{Store: &broken{err: errors.New("the reason")}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	s.do(t, http.MethodPost, "/v1/notifications/batch", `{"notifications":[{"to":["user:alice"],"title":"t"}]}`, "X-Request-Id", "r1")
	s.do(t, http.MethodDelete, "/v1/users/alice/subscriptions/builds", "", "X-Request-Id", "r2")
	s.Close()
	for _, want := range []string{"correlation_id=r1", "correlation_id=r2", "the reason", "route=/v1/notifications/batch"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log.String())
		}
	}
}

// late is a read model that never gets there.
type late struct{ away }

func (late) WaitFor(ctx context.Context, _ events.Position) error {
	<-ctx.Done()
	return fmt.Errorf("test: %w", queries.ErrNotYetProjected)
}

func TestAuditWhenTheStoreIsAway(t *testing.T) {
	t.Parallel()
	s := serve(t, httpapi.Config{Log: &broken{err: events.ErrStoreUnavailable}})
	for _, accept := range []string{"application/json", "application/x-ndjson"} {
		if p := problem(t, s.do(t, http.MethodGet, "/v1/audit/events", "", "Accept", accept)); p.Code != "store_unavailable" {
			t.Errorf("%s: %d %s", accept, p.Status, p.Code)
		}
	}
}

// breaksOff yields some events and then an error.
type breaksOff struct {
	httpapi.Log

	events int
}

func (b breaksOff) Head(context.Context) (events.Position, error) {
	return events.Position(b.events), nil
}

func (b breaksOff) ReadAll(context.Context, events.Position, events.Filter) iter.Seq2[events.Stored, error] {
	return func(yield func(events.Stored, error) bool) {
		for i := range b.events {
			if !yield(events.Stored{Stream: "store", Type: "T", Position: events.Position(i + 1), Data: []byte("{}"), Metadata: []byte("{}")}, nil) {
				return
			}
		}
		yield(events.Stored{}, events.ErrStoreUnavailable)
	}
}

// Half an answer must not look like a whole one.
func TestAnAuditStreamThatBreaksOff(t *testing.T) {
	t.Parallel()
	s := serve(t, httpapi.Config{Log: breaksOff{events: 10_000}})
	response := s.do(t, http.MethodGet, "/v1/audit/events", "", "Accept", "application/x-ndjson")
	if body, err := io.ReadAll(response.Body); err == nil {
		t.Errorf("%s: %d bytes and a clean end", response.Status, len(body))
	}
}

func TestAPanicIsAProblem(t *testing.T) {
	t.Parallel()
	s := serve(t, httpapi.Config{Store: &broken{panic: "secret"}})
	p := problem(t, s.do(t, http.MethodPut, "/v1/users/alice/subscriptions/builds", ""))
	if p.Status != http.StatusInternalServerError || strings.Contains(p.Detail, "secret") {
		t.Errorf("got %+v", p)
	}
	if response := s.do(t, http.MethodGet, "/livez", ""); response.StatusCode != http.StatusOK {
		t.Errorf("afterwards: %s", response.Status)
	}
}

func TestReadyz(t *testing.T) {
	t.Parallel()
	ok := func(context.Context) error { return nil }
	gone := func(context.Context) error { return errors.New("connection refused") }
	hangs := func(context.Context) error { select {} }
	tests := map[string]struct {
		checks []httpapi.Check
		status int
		body   string
	}{
		"everything is there": {
			[]httpapi.Check{{Name: "eventstore", Ask: ok}, {Name: "postgres", Ask: ok}}, http.StatusOK,
			`{"status":"ready","checks":{"eventstore":{"state":"ready"},"postgres":{"state":"ready"}}}`,
		},
		"one is away": {
			[]httpapi.Check{{Name: "eventstore", Ask: gone}, {Name: "postgres", Ask: ok}}, http.StatusServiceUnavailable,
			`{"status":"away","checks":{"eventstore":{"state":"away","reason":"connection refused"},"postgres":{"state":"ready"}}}`,
		},
		"one does not answer": {
			[]httpapi.Check{{Name: "eventstore", Ask: hangs}}, http.StatusServiceUnavailable,
			`{"status":"away","checks":{"eventstore":{"state":"away","reason":"no answer within 2s"}}}`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, httpapi.Config{Ready: test.checks})
			response := s.do(t, http.MethodGet, "/readyz", "")
			body, err := io.ReadAll(response.Body)
			if err != nil || response.StatusCode != test.status || strings.TrimSpace(string(body)) != test.body {
				t.Errorf("got %s %s, want %s %s", response.Status, body, strconv.Itoa(test.status), test.body)
			}
			if live := s.do(t, http.MethodGet, "/livez", ""); live.StatusCode != http.StatusOK {
				t.Errorf("livez: %s", live.Status)
			}
		})
	}
}
