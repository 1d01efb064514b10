package esdb_test

import (
	"context"
	"net"
	"os"
	"testing"
	"time"

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
	url := os.Getenv("TIDINGS_TEST_EVENTSTORE")
	if url == "" {
		t.Skip("TIDINGS_TEST_EVENTSTORE has no connection string")
	}
	store := open(t, url, esdb.Options{})
	storetest.Run(t, func(*testing.T) storetest.Store { return store })
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
