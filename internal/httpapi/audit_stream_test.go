package httpapi_test

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/memory"
	"github.com/tidings-io/tidings/internal/httpapi"
	"github.com/tidings-io/tidings/internal/live"
)

// auditWorld is a log and an edge before it, in a bubble of its own.
type auditWorld struct {
	t       *testing.T
	store   *memory.Store
	config  httpapi.Config
	drain   context.CancelFunc
	handler http.Handler
	records *records
}

func inAuditWorld(t *testing.T, configure func(*auditWorld), test func(*auditWorld)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		drained, drain := context.WithCancel(t.Context())
		defer drain()
		store := &memory.Store{}
		w := &auditWorld{t: t, store: store, drain: drain, records: &records{}}
		w.config = httpapi.Config{
			Store: store, Log: store, Reads: away{}, Hub: &live.Hub{}, NewID: counted(), Logger: w.records.logger(),
			Registerer: prometheus.NewRegistry(),
			Stream:     httpapi.StreamOptions{Drain: drained, MaxAge: 24 * time.Hour},
		}
		if configure != nil {
			configure(w)
		}
		var err error
		if w.handler, err = httpapi.New(w.config); err != nil {
			t.Fatal(err)
		}
		test(w)
	})
}

// record appends an event of a stream of its own.
func (w *auditWorld) record(e events.Event) events.Position {
	w.t.Helper()
	stream := streamOf(e)
	proposed, err := events.Encode(e, stream, 0, events.Metadata{Attempt: uuid.New(), Actor: "desk", CorrelationID: "c"})
	if err != nil {
		w.t.Fatal(err)
	}
	at, err := w.store.Append(w.t.Context(), stream, events.Any(), proposed)
	if err != nil {
		w.t.Fatal(err)
	}
	return at.Position
}

func described(topic events.Topic) events.TopicDescribed {
	return events.TopicDescribed{Topic: topic, Description: "d"}
}

// streamOf is where an event belongs.
func streamOf(e events.Event) events.StreamName {
	switch e := e.(type) {
	case events.Subscribed:
		return events.SubscriptionStream(e.User, e.Topic)
	case events.Unsubscribed:
		return events.SubscriptionStream(e.User, e.Topic)
	case events.Published:
		return events.BirthStream(e.NotificationID)
	case events.Retracted:
		return events.NotificationStream(e.NotificationID)
	case events.PreferencesSet:
		return events.ContactStream(e.User)
	case events.TopicDescribed:
		return events.TopicStream(e.Topic)
	case events.TokensRevoked:
		return events.TokensStream(e.User)
	case events.KeyCreated:
		return events.KeyStream(e.Key)
	case events.KeyRevoked:
		return events.KeyStream(e.Key)
	case events.ProjectionPaused:
		return events.ProjectionStream(e.Projection)
	case events.StoreNamed:
		return events.StoreStream
	case events.InboxEvent:
		return events.InboxStream(e.On().User)
	default:
		panic(fmt.Sprintf("no stream for %T", e))
	}
}

func (w *auditWorld) open(query, lastEventID string) *streamWire {
	ctx, cancel := context.WithCancel(w.t.Context())
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/audit/stream?"+query, http.NoBody)
	r.Header.Set("X-Request-Id", "q")
	if lastEventID != "" {
		r.Header.Set("Last-Event-ID", lastEventID)
	}
	c := &streamWire{header: http.Header{}, gone: cancel, ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		w.handler.ServeHTTP(c, r)
	}()
	w.t.Cleanup(func() { cancel(); <-c.ended })
	synctest.Wait()
	return c
}

var eventID = regexp.MustCompile(`"id":"[0-9a-f-]{36}"|"command_id":"[0-9a-f-]{36}",`)

// short leaves of each event of a text what is not the same for all.
func short(text string) string {
	var out strings.Builder
	for event := range strings.SplitSeq(text, "\n\n") {
		for line := range strings.SplitSeq(strings.TrimSuffix(event, "\n"), "\n") {
			name, value, _ := strings.Cut(line, ": ")
			switch {
			case name == "event":
				out.WriteString(value)
			case name == "id":
				out.WriteString(" " + value)
			case strings.Contains(value, `"reason":`), strings.HasPrefix(value, `{"timestamp"`), name == "(the end)":
				out.WriteString(" " + strings.Trim(name+" "+value, " :"))
			}
		}
		out.WriteString("\n")
	}
	return strings.TrimSuffix(out.String(), "\n")
}

func TestAnAuditStreamAsItIs(t *testing.T) {
	t.Parallel()
	inAuditWorld(t, nil, func(w *auditWorld) {
		w.record(described("a"))
		got := eventID.ReplaceAllString(w.open("after=0", "").read(), "")
		want := `event: connected
id: 0
retry: 2000
data: {"position":"0","retry_ms":2000}

event: event
id: 1
data: {,"stream":"topic-a","revision":0,"position":"1","type":"TopicDescribed","at":"2000-01-01T00:00:00Z","data":{"topic":"a","description":"d"},"metadata":{"$correlationId":"c","actor":"desk","schema_version":1}}

`
		if got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}

// The log holds topic-a at 1, topic-b at 2 and topic-a again at 3; after the stream was
// opened topic-a comes at 4.
func TestWhereAnAuditStreamBegins(t *testing.T) {
	t.Parallel()
	const noPosition, tooHigh = ` data {"reason":"the id is not a position of the log"}`, ` data {"reason":"the id is above the head of the log"}`
	cases := map[string]struct{ query, id, want string }{
		"with nothing said, the whole log":               {want: "connected 0\nevent 1\nevent 2\nevent 3\nevent 4"},
		"after the latest: what is recorded from now on": {query: "after=latest", want: "connected 3\nevent 4"},
		"a resume wins over the latest":                  {query: "after=latest", id: "2", want: "connected 2\nevent 3\nevent 4"},
		"after a position":                               {query: "after=1", want: "connected 1\nevent 2\nevent 3\nevent 4"},
		"after 0: the whole log":                         {query: "after=0", want: "connected 0\nevent 1\nevent 2\nevent 3\nevent 4"},
		"after the head":                                 {query: "after=3", want: "connected 3\nevent 4"},
		"last_event_id wins over after":                  {query: "after=0&last_event_id=2", want: "connected 2\nevent 3\nevent 4"},
		"the header wins over both":                      {query: "after=0&last_event_id=earliest", id: "2", want: "connected 2\nevent 3\nevent 4"},
		"earliest":                                       {query: "last_event_id=earliest", want: "connected 0\nevent 1\nevent 2\nevent 3\nevent 4"},
		"an id that is no position resets":               {id: "x", want: "connected 3\nreset 3" + noPosition + "\nevent 4"},
		"an id above the head resets":                    {id: "4", want: "connected 3\nreset 3" + tooHigh + "\nevent 4"},
		"an after above the head resets":                 {query: "after=99", want: "connected 3\nreset 3" + tooHigh + "\nevent 4"},
		"a filter picks":                                 {query: "after=0&topic=a", want: "connected 0\nevent 1\nevent 3\nevent 4"},
		"a category is picked by the store":              {query: "after=0&category=topic", want: "connected 0\nevent 1\nevent 2\nevent 3\nevent 4"},
		"a stream is picked from its category":           {query: "after=0&stream=topic-b", want: "connected 0\nevent 2"},
		"what has no category of ours is looked for":     {query: "after=0&category=store", want: "connected 0"},
		"from a time, all of it, and what follows":       {query: "from=2000-01-01T00:00:02Z", want: "connected 0\nevent 3\nevent 4"},
		"from a time, but no earlier than a position":    {query: "from=2000-01-01T00:00:01Z&after=2", want: "connected 2\nevent 3\nevent 4"},
		"a resume goes on in the same range":             {query: "from=2000-01-01T00:00:01Z", id: "2", want: "connected 2\nevent 3\nevent 4"},
		"to a time that has long passed: what there was": {query: "after=0&to=1999-12-31T23:00:00Z", want: "connected 0\nend 1 data {\"reason\":\"to has passed\"}\n (the end)"},
		"to a time that may still get events":            {query: "after=0&to=2000-01-01T00:00:01Z", want: "connected 0\nevent 1"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inAuditWorld(t, nil, func(w *auditWorld) {
				for _, topic := range []events.Topic{"a", "b", "a"} {
					w.record(described(topic))
					time.Sleep(time.Second)
				}
				client := w.open(c.query, c.id)
				w.record(described("a"))
				if got := short(client.read()); strings.TrimSpace(got) != c.want {
					t.Errorf("got\n%s\nwant\n%s", got, c.want)
				}
			})
		})
	}
}

func TestAnAuditStreamRefuses(t *testing.T) {
	t.Parallel()
	for _, query := range []string{"after=x", "user=a%20b", "topic=~", "from=yesterday", "to=1", "as_of=1"} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			inAuditWorld(t, nil, func(w *auditWorld) {
				client := w.open(query, "")
				<-client.ended
				if client.status != http.StatusUnprocessableEntity {
					t.Errorf("got %d, want 422", client.status)
				}
			})
		})
	}
}

// TestAnAuditStreamTellsHowFarItCame: who looks for what is rare resumes where the
// search stood.
func TestAnAuditStreamTellsHowFarItCame(t *testing.T) {
	t.Parallel()
	for _, query := range []string{"after=0&topic=rare", "after=0&category=inbox", "after=0&user=bob"} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			inAuditWorld(t, nil, func(w *auditWorld) {
				for range 5 {
					w.record(described("a"))
				}
				client := w.open(query, "")
				time.Sleep(14 * time.Second)
				w.record(described("b"))
				time.Sleep(time.Second)
				want := "connected 0\nheartbeat 6 data {\"timestamp\":\"2000-01-01T00:00:15Z\",\"position\":\"6\"}"
				if got := strings.TrimSpace(short(client.read())); got != want {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
				time.Sleep(14 * time.Second)
				if got := client.read(); got != "" {
					t.Errorf("got %q 14 s after a heartbeat, want silence", got)
				}
			})
		})
	}
}

func TestAnAuditStreamHasToEnd(t *testing.T) {
	t.Parallel()
	inAuditWorld(t, nil, func(w *auditWorld) {
		w.record(described("a"))
		client := w.open("after=0&to=2000-01-01T00:01:00Z", "")
		time.Sleep(30 * time.Second)
		w.record(described("b"))
		time.Sleep(40 * time.Second)
		w.record(described("c")) // ten seconds after its end: a clock may step back
		synctest.Wait()
		select {
		case <-client.ended:
			t.Error("it has ended, want that it waits a minute for what a slow clock records")
		default:
		}
		begun := time.Now()
		<-client.ended
		if took := time.Since(begun); took > time.Minute+15*time.Second {
			t.Errorf("it ended %s later", took)
		}
		got := regexp.MustCompile(`heartbeat .*\n`).ReplaceAllString(short(client.read()), "")
		if want := "connected 0\nevent 1\nevent 2\nend 3 data {\"reason\":\"to has passed\"}\n (the end)"; got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		again := w.open("after=0&to=2000-01-01T00:01:00Z", "3")
		if got, want := short(again.read()), "connected 3\nend 3 data {\"reason\":\"to has passed\"}\n (the end)"; got != want {
			t.Errorf("a resume: got\n%s\nwant\n%s", got, want)
		}
	})
}

// counting is a log that counts what is taken of a subscription.
type counting struct {
	httpapi.Log

	mu    sync.Mutex
	taken int
	ended bool
}

func (c *counting) Subscribe(ctx context.Context, after events.Position) iter.Seq2[events.Message, error] {
	return func(yield func(events.Message, error) bool) {
		defer func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.ended = true
		}()
		for m, err := range c.Log.Subscribe(ctx, after) {
			c.mu.Lock()
			c.taken++
			c.mu.Unlock()
			if !yield(m, err) {
				return
			}
		}
	}
}

func (c *counting) state() (taken int, ended bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.taken, c.ended
}

// TestASlowAuditReaderHoldsTheStoreBack: it is sent what the outbox holds, and the
// subscription waits.
func TestASlowAuditReaderHoldsTheStoreBack(t *testing.T) {
	t.Parallel()
	var log *counting
	inAuditWorld(t, func(w *auditWorld) {
		log = &counting{Log: w.store}
		w.config.Log = log
	}, func(w *auditWorld) {
		large := events.TopicDescribed{Topic: "a", Description: strings.Repeat("x", 100_000)}
		for range 100 {
			w.record(large)
		}
		hold := make(chan struct{})
		client := &streamWire{header: http.Header{}, ended: make(chan struct{}), hold: hold}
		r := httptest.NewRequestWithContext(w.t.Context(), http.MethodGet, "/v1/audit/stream?after=0", http.NoBody)
		go func() {
			defer close(client.ended)
			w.handler.ServeHTTP(client, r)
		}()
		synctest.Wait()
		// Three fill a quarter of a megabyte; twice that may wait, and one more is at hand.
		if taken, _ := log.state(); taken > 7 {
			t.Errorf("%d events of 100 kB were taken for a reader that takes nothing", taken)
		}
		client.mu.Lock()
		client.hold = nil
		client.mu.Unlock()
		close(hold)
		synctest.Wait()
		client.mu.Lock()
		if n := strings.Count(client.text, "event: event\n"); n != 100 {
			t.Errorf("got %d events once it reads again, want 100", n)
		}
		client.stuck = true
		client.mu.Unlock()
		for range 20 {
			w.record(large)
		}
		begun := time.Now()
		<-client.ended
		if took := time.Since(begun); took != 10*time.Second {
			t.Errorf("it was closed after %s, want 10 s", took)
		}
		if _, ended := log.state(); !ended {
			t.Error("the subscription goes on after its reader was closed")
		}
		if got := w.records.last("ended"); got != "too_slow" {
			t.Errorf("the record says that it ended because of %q, want too_slow", got)
		}
	})
}

func TestAuditStreamsEnd(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		end  func(*auditWorld, *streamWire)
		want string
	}{
		"when the process stops":  {func(w *auditWorld, _ *streamWire) { w.drain() }, "drained"},
		"when they are old":       {func(*auditWorld, *streamWire) { time.Sleep(26 * time.Hour) }, "age"},
		"when the client is gone": {func(_ *auditWorld, c *streamWire) { c.gone() }, "gone"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inAuditWorld(t, func(w *auditWorld) { w.config.Stream.Heartbeat = 100 * time.Hour }, func(w *auditWorld) {
				client := w.open("", "")
				hold := make(chan struct{})
				client.mu.Lock()
				client.hold = hold
				client.mu.Unlock()
				w.record(described("a"))
				synctest.Wait() // now it is being written
				w.record(described("b"))
				synctest.Wait() // now it waits in the outbox
				c.end(w, client)
				close(hold)
				<-client.ended
				got := short(client.read())
				if want := "connected 0\nevent 1\nevent 2\n (the end)"; got != want {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
				if got := w.records.last("ended"); got != c.want {
					t.Errorf("the record says %q, want %q", got, c.want)
				}
			})
		})
	}
}

func TestAuditStreamsAreRefusedForNow(t *testing.T) {
	t.Parallel()
	t.Run("when the store is away", func(t *testing.T) {
		t.Parallel()
		inAuditWorld(t, func(w *auditWorld) { w.config.Log = &broken{err: events.ErrStoreUnavailable} }, func(w *auditWorld) {
			client := w.open("", "")
			if got := client.read(); !strings.HasPrefix(got, "event: busy\nretry: 5000 to 10000\n") || !strings.HasSuffix(got, "(the end)\n") {
				t.Errorf("got %q, want busy and the end", got)
			}
		})
	})
	t.Run("when there are many", func(t *testing.T) {
		t.Parallel()
		inAuditWorld(t, nil, func(w *auditWorld) {
			for range 32 {
				w.open("", "")
			}
			client := w.open("", "")
			<-client.ended
			if got := client.read(); !strings.HasPrefix(got, "event: busy\n") {
				t.Errorf("got %q for the 33rd, want busy", got)
			}
		})
	})
	t.Run("when the subscription fails", func(t *testing.T) {
		t.Parallel()
		inAuditWorld(t, func(w *auditWorld) { w.config.Log = failing{w.store} }, func(w *auditWorld) {
			client := w.open("", "")
			if got := client.read(); !strings.Contains(got, "event: busy\n") || !strings.HasSuffix(got, "(the end)\n") {
				t.Errorf("got %q, want busy and the end", got)
			}
		})
	})
}

// failing is a log whose subscriptions end.
type failing struct{ httpapi.Log }

func (failing) Subscribe(context.Context, events.Position) iter.Seq2[events.Message, error] {
	return func(yield func(events.Message, error) bool) { yield(events.Message{}, events.ErrStoreUnavailable) }
}
