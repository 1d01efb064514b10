package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/memory"
)

// clocked is a read model that knows when everything was recorded, as the tables do.
type clocked struct {
	away

	store *memory.Store
}

func (c clocked) Before(ctx context.Context, at time.Time) (before events.Position, err error) {
	for s, err := range c.store.ReadAll(ctx, 0, events.Filter{}) {
		if err != nil || !s.At.Before(at) {
			return before, err
		}
		before = s.Position
	}
	return before, nil
}

// TestAuditPagesExportsAndStreamsAgree: whatever the filter, however pages are cut, and
// wherever a stream breaks, all three tell the same events in the same words, each once.
func TestAuditPagesExportsAndStreamsAgree(t *testing.T) {
	t.Parallel()
	for range 24 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			inAuditWorld(t, func(w *auditWorld) { w.config.Reads = clocked{store: w.store} }, func(w *auditWorld) {
				w.agree(rand.New(rand.NewPCG(seed, 0)))
			})
		})
	}
}

func (w *auditWorld) agree(random *rand.Rand) {
	filter := someFilter(random)
	begin := events.Position(random.IntN(3))
	query := filter.Encode() + "&after=" + begin.String()
	w.record(described("a"))
	w.record(described("b")) // a stream after what is not there yet is reset
	var told reader
	for range 25 {
		for range random.IntN(6) {
			w.recordAt(someEvent(random), events.Metadata{Attempt: uuid.New(), Actor: oneOf(random, "ann", "desk"), CorrelationID: oneOf(random, "c1", "c2")})
			time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond)
		}
		client := w.open(query, told.id)
		for range random.IntN(4) {
			w.recordAt(someEvent(random), events.Metadata{Attempt: uuid.New(), Actor: "desk"})
			time.Sleep(time.Duration(random.IntN(8)) * time.Second) // now and then a heartbeat
		}
		client.gone()
		<-client.ended
		text := client.read()
		told.take(text[:random.IntN(len(text)+1)]) // the rest was lost with the connection
	}
	client := w.open(query, told.id)
	time.Sleep(3 * time.Minute)
	client.gone()
	<-client.ended
	told.take(client.read())

	exported := w.export(query)
	if diff := cmp.Diff(exported, told.events); diff != "" {
		w.t.Errorf("%s: the stream is not the export (-export +stream)\n%s", query, diff)
	}
	if diff := cmp.Diff(exported, w.pages(filter, begin, random)); diff != "" {
		w.t.Errorf("%s: the pages are not the export (-export +pages)\n%s", query, diff)
	}
}

// reader keeps what a client of streams keeps: the last id, and the events.
type reader struct {
	id     string
	events []string
}

// take takes the events that came whole.
func (r *reader) take(text string) {
	for {
		event, rest, whole := strings.Cut(text, "\n\n")
		if !whole {
			return
		}
		text = rest
		if _, id, ok := strings.Cut(event, "\nid: "); ok {
			r.id, _, _ = strings.Cut(id, "\n")
		}
		if data, ok := strings.CutPrefix(event, "event: event\nid: "+r.id+"\ndata: "); ok {
			r.events = append(r.events, data)
		}
	}
}

func (w *auditWorld) get(path, accept string) string {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodGet, path, http.NoBody)
	r.Header.Set("Accept", accept)
	answer := httptest.NewRecorder()
	w.handler.ServeHTTP(answer, r)
	if answer.Code != http.StatusOK {
		w.t.Fatalf("%s: %d %s", path, answer.Code, answer.Body)
	}
	return answer.Body.String()
}

func (w *auditWorld) export(query string) (lines []string) {
	scanner := bufio.NewScanner(strings.NewReader(w.get("/v1/audit/events?"+query, "application/x-ndjson")))
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
	}
	return lines
}

func (w *auditWorld) pages(filter url.Values, after events.Position, random *rand.Rand) (items []string) {
	cursor := after.String()
	for {
		text := w.get(fmt.Sprintf("/v1/audit/events?%s&limit=%d&cursor=%s", filter.Encode(), 1+random.IntN(9), cursor), "application/json")
		var page struct {
			Items      []json.RawMessage `json:"items"`
			NextCursor string            `json:"next_cursor"`
		}
		if err := json.Unmarshal([]byte(text), &page); err != nil {
			w.t.Fatal(err)
		}
		for _, item := range page.Items {
			items = append(items, string(item))
		}
		if page.NextCursor == "" {
			return items
		}
		cursor = page.NextCursor
	}
}

func (w *auditWorld) recordAt(e events.Event, md events.Metadata) {
	w.t.Helper()
	proposed, err := events.Encode(e, streamOf(e), 0, md)
	if err == nil {
		_, err = w.store.Append(w.t.Context(), streamOf(e), events.Any(), proposed)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
}

func oneOf[T any](random *rand.Rand, from ...T) T { return from[random.IntN(len(from))] }

func someFilter(random *rand.Rand) url.Values {
	filter := url.Values{}
	second := func() string {
		return time.Date(2000, 1, 1, 0, 0, random.IntN(200), 0, time.UTC).Format(time.RFC3339)
	}
	for name, some := range map[string]func() string{
		"category": func() string {
			return oneOf(random, "subscription", "notification", "inbox", "topic", "contact", "key", "tokens", "projection", "store")
		},
		"stream":         func() string { return oneOf(random, "inbox-ann", "topic-a", "subscription-bob/b", "nothing") },
		"type":           func() string { return oneOf(random, "Published", "Subscribed", "ItemsRead", "KeyCreated") },
		"user":           func() string { return oneOf(random, "ann", "bob", "carl") },
		"topic":          func() string { return oneOf(random, "a", "b") },
		"correlation_id": func() string { return oneOf(random, "c1", "c2") },
		"from":           second,
		"to":             second,
	} {
		if random.IntN(6) == 0 {
			filter.Set(name, some())
		}
	}
	return filter
}

func someEvent(random *rand.Rand) events.Event {
	user, topic := oneOf[events.User](random, "ann", "bob"), oneOf[events.Topic](random, "a", "b")
	to := []events.Target{oneOf(random, events.Target{User: user}, events.Target{Topic: topic})}
	items := events.Items{User: user, Through: 1}
	return oneOf[events.Event](random,
		events.Subscribed{User: user, Topic: topic}, events.Unsubscribed{User: user, Topic: topic},
		events.Published{NotificationID: uuid.New(), To: to, Content: events.Content{Title: "t\n\n\"é"}},
		events.Retracted{NotificationID: uuid.New(), PublishedPosition: 1, To: to},
		events.ItemsRead{Items: items}, events.ItemsArchived{Items: items}, described(topic),
		events.PreferencesSet{User: user}, events.TokensRevoked{User: user}, events.StoreNamed{StoreID: uuid.New()},
		events.KeyCreated{Key: events.KeyID(oneOf(random, "k1", "k2")), Subject: string(user)}, events.KeyRevoked{Key: "k1"},
		events.ProjectionPaused{Order: events.Order{Projection: "inbox"}},
	)
}

// TestWhatConcernsAUserOrATopic: each event is told to whoever asks for the user or the
// topic, and to nobody else.
func TestWhatConcernsAUserOrATopic(t *testing.T) {
	t.Parallel()
	ann, bob := events.Target{User: "ann"}, events.Target{User: "bob"}
	id := uuid.MustParse("018f2f6e-9a3b-7c4d-8e5f-60718293a4b5")
	cases := map[string]struct {
		event       events.Event
		actor       string
		user, topic bool // whether it concerns ann, the topic builds
	}{
		"a subscription of theirs":                {event: events.Subscribed{User: "ann", Topic: "builds"}, user: true, topic: true},
		"its end":                                 {event: events.Unsubscribed{User: "ann", Topic: "builds"}, user: true, topic: true},
		"a subscription of another":               {event: events.Subscribed{User: "bob", Topic: "builds"}, topic: true},
		"a user whose name begins like theirs":    {event: events.Subscribed{User: "anna", Topic: "builds/main"}},
		"a user whose name ends like a topic":     {event: events.Subscribed{User: "builds", Topic: "x"}},
		"what they marked":                        {event: events.ItemsRead{Items: events.Items{User: "ann", Through: 1}}, user: true},
		"what another marked":                     {event: events.ItemsRead{Items: events.Items{User: "bob", Through: 1}}},
		"their preferences":                       {event: events.PreferencesSet{User: "ann"}, user: true},
		"the end of their tokens":                 {event: events.TokensRevoked{User: "ann"}, user: true},
		"what names them":                         {event: events.Published{NotificationID: id, To: []events.Target{bob, ann}}, user: true},
		"its retraction":                          {event: events.Retracted{NotificationID: id, To: []events.Target{ann}}, user: true},
		"what goes to the topic":                  {event: events.Published{NotificationID: id, To: []events.Target{{Topic: "builds"}}}, topic: true},
		"its retraction, of a topic":              {event: events.Retracted{NotificationID: id, To: []events.Target{{Topic: "builds"}}}, topic: true},
		"what only speaks of them":                {event: events.Published{NotificationID: id, To: []events.Target{bob}, Content: events.Content{Title: "user:ann builds"}}},
		"what they published":                     {event: events.Published{NotificationID: id, To: []events.Target{bob}}, actor: "ann", user: true},
		"what an actor did whose name has theirs": {event: events.Published{NotificationID: id, To: []events.Target{bob}}, actor: "joann"},
		"an API key that acts as them":            {event: events.KeyCreated{Key: "k", Subject: "ann"}, user: true},
		"an API key named after them":             {event: events.KeyCreated{Key: "k", Name: "ann", Subject: "ci"}},
		"what is said of the topic":               {event: described("builds"), topic: true},
		"what is said of a topic below it":        {event: described("builds/main")},
		"an operator's order":                     {event: events.ProjectionPaused{Order: events.Order{Projection: "inbox", Reason: "ann builds"}}},
		"an operator's order that they gave":      {event: events.ProjectionPaused{Order: events.Order{Projection: "inbox"}}, actor: "ann", user: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inAuditWorld(t, nil, func(w *auditWorld) {
				w.recordAt(c.event, events.Metadata{Attempt: uuid.New(), Actor: c.actor})
				if got := len(w.export("user=ann")) == 1; got != c.user {
					t.Errorf("for the user: got %v, want %v", got, c.user)
				}
				if got := len(w.export("topic=builds")) == 1; got != c.topic {
					t.Errorf("for the topic: got %v, want %v", got, c.topic)
				}
			})
		})
	}
}

// prefixed is a log that picks categories as EventStoreDB does: by how names begin.
type prefixed struct{ *memory.Store }

func (p prefixed) SubscribeTo(ctx context.Context, after events.Position, categories ...string) iter.Seq2[events.Message, error] {
	return func(yield func(events.Message, error) bool) {
		for m, err := range p.Subscribe(ctx, after) {
			begins := func(category string) bool { return strings.HasPrefix(string(m.Event.Stream), category+"-") }
			if m.Event != nil && !slices.ContainsFunc(categories, begins) {
				m = events.Message{Checkpoint: m.Event.Position}
			}
			if !yield(m, err) {
				return
			}
		}
	}
}

// TestWhatIsHardToFind: names that JSON escapes, and streams whose category is their name.
func TestWhatIsHardToFind(t *testing.T) {
	t.Parallel()
	for _, query := range []string{"correlation_id=a%22%3C%5Cb", "category=store", "stream=store", "category=store&type=StoreNamed"} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			inAuditWorld(t, func(w *auditWorld) { w.config.Log = prefixed{w.store} }, func(w *auditWorld) {
				w.recordAt(events.StoreNamed{StoreID: uuid.New()}, events.Metadata{Attempt: uuid.New(), CorrelationID: `a"<\b`})
				w.recordAt(described("a"), events.Metadata{Attempt: uuid.New(), CorrelationID: "b"})
				if n := len(w.export(query)); n != 1 {
					t.Errorf("the export has %d events, want 1", n)
				}
				if got, want := strings.TrimSpace(short(w.open("after=0&"+query, "").read())), "connected 0\nevent 1"; got != want {
					t.Errorf("the stream: got %q, want %q", got, want)
				}
			})
		})
	}
}

// TestARangeFromATimeDoesNotReadTheYearsBefore.
func TestARangeFromATimeDoesNotReadTheYearsBefore(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(*auditWorld, string){
		"a page":    func(w *auditWorld, query string) { w.get("/v1/audit/events?"+query, "application/json") },
		"an export": func(w *auditWorld, query string) { w.export(query) },
		"a stream":  func(w *auditWorld, query string) { w.open(query, "") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := &reading{}
			inAuditWorld(t, func(w *auditWorld) {
				log.Store = w.store
				w.config.Reads, w.config.Log = clocked{store: w.store}, log
			}, func(w *auditWorld) {
				for range 10 {
					w.record(described("a"))
					time.Sleep(time.Second)
				}
				ask(w, "from=2000-01-01T00:00:07Z")
				if log.after != 7 {
					t.Errorf("the log was read after %s, want 7", log.after)
				}
			})
		})
	}
}

// reading is a log that remembers where it was read from.
type reading struct {
	*memory.Store

	after events.Position
}

func (r *reading) ReadAll(ctx context.Context, after events.Position, f events.Filter) iter.Seq2[events.Stored, error] {
	r.after = after
	return r.Store.ReadAll(ctx, after, f)
}

func (r *reading) Subscribe(ctx context.Context, after events.Position) iter.Seq2[events.Message, error] {
	r.after = after
	return r.Store.Subscribe(ctx, after)
}
