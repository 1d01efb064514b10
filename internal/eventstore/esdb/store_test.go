package esdb_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/esdb"
	"github.com/tidings-io/tidings/internal/eventstore/node"
	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
	"github.com/tidings-io/tidings/internal/eventstore/storetest"
)

// TestEmbeddedNode runs the suite on the embedded node, through the client.
func TestEmbeddedNode(t *testing.T) {
	t.Parallel()
	store := open(t, startServer(t).url(), esdb.Options{})
	storetest.Run(t, func(*testing.T) storetest.Store { return store })
}

// TestServer runs the suite on a server of its own, such as an EventStoreDB.
func TestServer(t *testing.T) {
	t.Parallel()
	url := os.Getenv("TEST_EVENTSTORE_URL")
	if url == "" {
		t.Skip("TEST_EVENTSTORE_URL has no connection string")
	}
	store := open(t, url, esdb.Options{})
	storetest.Run(t, func(*testing.T) storetest.Store { return store })
}

// TestSharedServer runs the suite twice on one node that others use all the while, as a server of its own may be used: they write
// streams and events of the store's own kind, delete, end and truncate.
func TestSharedServer(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs the suite twice more")
	}
	server := startServer(t)
	ctx, stop := context.WithCancel(context.Background())
	var others sync.WaitGroup
	t.Cleanup(func() {
		stop()
		others.Wait()
	})
	for n := range 2 {
		others.Go(func() { server.otherwiseUsed(ctx, n) })
	}
	store := open(t, server.url(), esdb.Options{})
	for _, round := range []string{"first", "second"} {
		t.Run(round, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(*testing.T) storetest.Store { return store })
		})
	}
}

// otherwiseUsed is traffic that has nothing to do with a test.
func (s *server) otherwiseUsed(ctx context.Context, n int) {
	pause := time.NewTicker(2 * time.Millisecond)
	defer pause.Stop()
	for round := 0; ctx.Err() == nil; round++ {
		stream := fmt.Sprintf("other%d-%d", n, round%7)
		kind := []string{"Noted", "$stats", "$>", "Other"}[round%4]
		event := eventlog.Event{ID: uuid.New(), Type: kind, JSON: true, Data: []byte(`{"name":"other"}`)}
		_, err := s.log.Append(ctx, stream, eventlog.Any, event, eventlog.Event{ID: uuid.New(), Type: kind})
		switch {
		case err != nil:
		case round%10 == 3:
			event.ID, event.Type, event.Data = uuid.New(), eventlog.TypeMetadata, []byte(`{"$maxCount":2}`)
			_, err = s.log.Append(ctx, "$$"+stream, eventlog.Any, event)
		case round%10 == 7:
			_, err = s.log.Delete(ctx, stream, eventlog.Any)
		case round%10 == 9:
			_, err = s.log.Tombstone(ctx, fmt.Sprintf("ended%d-%d", n, round), eventlog.Any)
		}
		if err != nil && ctx.Err() == nil {
			s.t.Errorf("other traffic: %v", err)
			return
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
	}
}

func open(t testing.TB, url string, options esdb.Options) *esdb.Store {
	t.Helper()
	store, err := esdb.Open(url, options)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(store.Close)
	return store
}

// untilThere waits for a store that was just opened: a call waits a second, which a
// busy machine may need for longer.
func untilThere(ctx context.Context, t testing.TB, store *esdb.Store) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		_, err := store.Head(ctx)
		if err == nil {
			return
		}
		if ctx.Err() != nil || !errors.Is(err, events.ErrStoreUnavailable) {
			t.Fatalf("reach the store: %v", err)
		}
		<-again.C
	}
}

// server is an embedded node that can be stopped and started again on the same
// port, with the same log.
type server struct {
	t       testing.TB
	log     *eventlog.Log
	options node.Options
	address string
	stop    func()
}

func startServer(t testing.TB) *server {
	t.Helper()
	return startServerWith(t, node.Options{})
}

func startServerWith(t testing.TB, options node.Options) *server {
	t.Helper()
	log, err := eventlog.Open(t.TempDir(), eventlog.Options{})
	if err != nil {
		t.Fatalf("open the log: %v", err)
	}
	s := &server{t: t, log: log, options: options, address: "127.0.0.1:0"}
	s.start()
	t.Cleanup(func() {
		s.stop()
		if err := log.Close(); err != nil {
			t.Errorf("close the log: %v", err)
		}
	})
	return s
}

func (s *server) url() string { return "esdb://" + s.address + "?tls=false" }

func (s *server) start() {
	s.t.Helper()
	listener, err := net.Listen("tcp", s.address)
	for deadline := time.Now().Add(10 * time.Second); err != nil && time.Now().Before(deadline); {
		listener, err = net.Listen("tcp", s.address) // a port just left may be taken for a moment
	}
	if err != nil {
		s.t.Fatalf("listen on %s: %v", s.address, err)
	}
	s.address = listener.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- node.New(s.log, s.options).Serve(ctx, listener) }()
	s.stop = func() {
		cancel()
		if err := <-served; err != nil {
			s.t.Errorf("serve: %v", err)
		}
		s.stop = func() {}
	}
}
