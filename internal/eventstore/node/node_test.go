package node_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/eventstore/node"
	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// patience bounds every wait of these tests; none comes near it unless something is wrong.
const patience = 20 * time.Second

// server is a node on a loopback port over a log in memory, and the official client connected to it.
type server struct {
	log    *eventlog.Log
	client *esdb.Client
	url    string
	stop   func() error
}

func serve(t testing.TB, log *eventlog.Log, o node.Options) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	served := node.New(log, o)
	go func() { ended <- served.Serve(ctx, listener) }()
	s := &server{log: log, url: fmt.Sprintf("esdb://%s?tls=false", listener.Addr())}
	stopped := false
	s.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	s.client = connect(t, s.url)
	return s
}

func start(t testing.TB) *server {
	t.Helper()
	log, err := eventlog.Open("store", eventlog.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return serve(t, log, node.Options{})
}

func connect(t testing.TB, url string) *esdb.Client {
	t.Helper()
	settings, err := esdb.ParseConnectionString(url)
	if err != nil {
		t.Fatal(err)
	}
	settings.Logger = func(esdb.LogLevel, string, ...any) {}
	client, err := esdb.NewClient(settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func proposal(kind string) esdb.EventData {
	return esdb.EventData{
		EventID: uuid.New(), EventType: kind, ContentType: esdb.ContentTypeJson,
		Data: []byte(`{"kind":"` + kind + `"}`), Metadata: []byte(`{"$correlationId":"c"}`),
	}
}

func (s *server) append(t testing.TB, stream string, kinds ...string) *esdb.WriteResult {
	t.Helper()
	events := make([]esdb.EventData, len(kinds))
	for i, kind := range kinds {
		events[i] = proposal(kind)
	}
	result, err := s.client.AppendToStream(t.Context(), stream, esdb.AppendToStreamOptions{}, events...)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func codeOf(err error) esdb.ErrorCode {
	if e, ok := errors.AsType[*esdb.Error](err); ok {
		return e.Code()
	}
	return -1
}

// patiently runs f when something that must happen has not.
func patiently(f func()) *time.Timer { return time.AfterFunc(patience, f) }
