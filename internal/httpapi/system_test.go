package httpapi_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings-io/tidings/internal/commands"
	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/memory"
	"github.com/tidings-io/tidings/internal/httpapi"
	"github.com/tidings-io/tidings/internal/live"
	"github.com/tidings-io/tidings/internal/postgres"
	"github.com/tidings-io/tidings/internal/projections"
	"github.com/tidings-io/tidings/internal/queries"
)

// system is everything behind one server: the memory store, a real Postgres with
// the real projection, the hub and the edge.
type system struct {
	*httptest.Server

	store   *memory.Store
	metrics *prometheus.Registry
}

// serve starts the edge before whatever the configuration lacks.
func serve(t *testing.T, c httpapi.Config) *system {
	t.Helper()
	s := &system{store: &memory.Store{}, metrics: prometheus.NewRegistry()}
	if c.Store == nil {
		c.Store = s.store
	}
	if c.Log == nil {
		c.Log = s.store
	}
	if c.Reads == nil {
		c.Reads = away{}
	}
	if c.Hub == nil {
		c.Hub = &live.Hub{}
	}
	if c.NewID == nil {
		c.NewID = counted()
	}
	c.Registerer, c.Gatherer = s.metrics, s.metrics
	handler, err := httpapi.New(c)
	if err != nil {
		t.Fatalf("make the handler: %v", err)
	}
	s.Server = httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s
}

// serveAll starts the edge before a projector, a database and a hub.
func serveAll(t *testing.T, c httpapi.Config) *system {
	t.Helper()
	return serveAllWith(t, c, func(*memory.Store, *httpapi.Config) {})
}

// serveAllWith is serveAll with a configuration that needs the store.
func serveAllWith(t *testing.T, c httpapi.Config, configure func(*memory.Store, *httpapi.Config)) *system {
	t.Helper()
	url := postgres.Fresh(t)
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(pool.Close)
	store := &memory.Store{}
	reads := queries.New(pool, queries.Options{Log: store, Streams: store})
	name(t, store)
	hub := &live.Hub{Source: store, History: reads.Snapshot, Start: func(ctx context.Context) (events.Position, error) {
		at, _, err := reads.Checkpoint(ctx)
		return at, err
	}}
	projector := &projections.Versions{
		DatabaseURL: url, Source: store, Orders: store, StoreLimit: projections.DefaultStoreLimit,
		StoreID: func(context.Context) (uuid.UUID, error) { return storeID, nil },
	}
	run(t, projector.Run)
	awaitTables(t, projector)
	run(t, hub.Run)
	run(t, reads.Run)
	c.Store, c.Log, c.Reads, c.Hub = store, store, reads, hub
	configure(store, &c)
	s := serve(t, c)
	s.store = store
	return s
}

// awaitTables waits until there is something that questions can be put to.
func awaitTables(t *testing.T, projector *projections.Versions) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for projector.Status().State != projections.StateRunning {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("there are no tables yet")
		}
	}
}

// run runs something until the test ends, and waits for its end.
func run(t *testing.T, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil && ctx.Err() == nil {
			t.Errorf("run: %v", err)
		}
	})
}

var storeID = uuid.MustParse("5e1f0000-0000-4000-8000-000000000000")

// name gives the log its identity, which is its event at position 1.
func name(t *testing.T, store commands.Store) {
	t.Helper()
	md := events.Metadata{CommandID: storeID, Attempt: storeID}
	if _, err := commands.Handle(t.Context(), store, md, commands.NameStore{ID: storeID}); err != nil {
		t.Fatalf("name the store: %v", err)
	}
}

// counted makes ids that are the same in every run. They differ in their upper
// bits, as the lower ones of a batch's are its entries'.
func counted() func() uuid.UUID {
	var n atomic.Uint32
	return func() uuid.UUID {
		id := uuid.MustParse("00000000-0000-4000-8000-000000000000")
		binary.BigEndian.PutUint32(id[:], n.Add(1))
		return id
	}
}

// do sends a request with headers given as name, value, …
func (s *system) do(t *testing.T, method, path, body string, headers ...string) *http.Response {
	t.Helper()
	request := newRequest(t, method, s.URL+path, body)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := s.Client().Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

// away is a read model whose database is gone.
type away struct{}

var errAway = fmt.Errorf("test: %w", queries.ErrUnavailable)

func (away) WaitFor(ctx context.Context, _ events.Position) error {
	<-ctx.Done()
	return errAway
}

func (away) Projections(context.Context) ([]queries.Version, error) {
	return nil, queries.ErrUnavailable
}

func (away) Parity(context.Context, int, int, string) (queries.Parity, error) {
	return queries.Parity{}, queries.ErrUnavailable
}

func (away) Recipients(context.Context, uuid.UUID, ...queries.AtLeast) (queries.Recipients, error) {
	return queries.Recipients{}, errAway
}

func (away) Inbox(context.Context, queries.InboxQuery, ...queries.AtLeast) (queries.InboxPage, error) {
	return queries.InboxPage{}, errAway
}

func (away) Counts(context.Context, events.User, queries.AsOf, ...queries.AtLeast) (queries.Counts, error) {
	return queries.Counts{}, errAway
}

func (away) Subscriptions(context.Context, events.User, int, string, ...queries.AtLeast) (queries.Page[queries.Subscription], error) {
	return queries.Page[queries.Subscription]{}, errAway
}

func (away) Explain(context.Context, uuid.UUID, events.User) (queries.Explanation, error) {
	return queries.Explanation{}, errAway
}

func (away) Before(context.Context, time.Time) (events.Position, error) { return 0, errAway }

func (away) Preferences(context.Context, events.User, ...queries.AtLeast) (queries.Preferences, error) {
	return queries.Preferences{}, errAway
}

func (away) Topics(context.Context, int, string, ...queries.AtLeast) (queries.Page[queries.Topic], error) {
	return queries.Page[queries.Topic]{}, errAway
}

func (away) Topic(context.Context, events.Topic, ...queries.AtLeast) (queries.Topic, error) {
	return queries.Topic{}, errAway
}

func (away) Subscribers(context.Context, queries.SubscribersQuery, ...queries.AtLeast) (queries.Page[queries.Subscriber], error) {
	return queries.Page[queries.Subscriber]{}, errAway
}

func (away) Notification(context.Context, uuid.UUID, ...queries.AtLeast) (queries.Notification, error) {
	return queries.Notification{}, errAway
}
