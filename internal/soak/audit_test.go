package soak

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/esdb"
	"github.com/tidings-io/tidings/internal/httpapi"
	"github.com/tidings-io/tidings/internal/live"
)

// noReadModel is for questions that nobody asks.
type noReadModel struct{ httpapi.Reads }

// TestTheAuditStreamOutlivesTheStore: the node is killed again and again, and whoever
// follows the log is told every event, once, on the same connection.
func TestTheAuditStreamOutlivesTheStore(t *testing.T) { // not parallel: it starts a program
	if testing.Short() {
		t.Skip("starts programs")
	}
	data, listen := filepath.Join(t.TempDir(), "store"), freeAddress(t)
	begin := func() *program { return start(t, "tidings", "node", "--data", data, "--listen", listen) }
	node := begin()
	store, err := esdb.Open("esdb://"+listen+"?tls=false", esdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	handler, err := httpapi.New(httpapi.Config{Store: store, Log: store, Reads: noReadModel{}, Hub: &live.Hub{}})
	if err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(handler)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(api.Close)
	t.Cleanup(cancel) // ends the streams, for which the server's Close waits

	described(ctx, t, store, 0)
	filters := []string{"after=0", "after=0&category=topic", "after=0&topic=" + topicOf(1)}
	var streams []*Decoder
	for _, filter := range filters {
		body := read(ctx, t, api.URL+"/v1/audit/stream?"+filter, "text/event-stream").Body
		streams = append(streams, NewDecoder(body))
	}
	const rounds, each = 3, 40
	for round := range rounds {
		for i := range each {
			described(ctx, t, store, round*each+i)
		}
		node.kill()
		node = begin()
	}
	last := described(ctx, t, store, rounds*each+1) // to topic 1, so that all are told
	for i, filter := range filters {
		got := []string{}
		for {
			event, err := streams[i].Next()
			if err != nil {
				t.Fatalf("%s: after %d events: %v", filter, len(got), err)
			}
			if event.Name == "event" {
				got = append(got, event.Data)
			}
			if event.Name == "event" && event.ID == last.String() {
				break
			}
		}
		want := []string{}
		for lines := bufio.NewScanner(read(ctx, t, api.URL+"/v1/audit/events?"+filter, "application/x-ndjson").Body); lines.Scan(); {
			want = append(want, lines.Text())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: the stream told %d events, the export %d, or others", filter, len(got), len(want))
		}
	}
}

func topicOf(n int) string { return "t" + strconv.Itoa(n%4) }

// described appends an event, however long the store is away.
func described(ctx context.Context, t *testing.T, store *esdb.Store, n int) events.Position {
	t.Helper()
	stream := events.TopicStream(events.Topic(topicOf(n)))
	description, err := json.Marshal(map[string]string{"topic": topicOf(n), "description": strconv.Itoa(n)})
	if err != nil {
		t.Fatal(err)
	}
	one := events.Proposed{ID: uuid.New(), Type: "TopicDescribed", Data: description, Metadata: []byte(`{"schema_version":1}`)}
	for {
		at, err := store.Append(ctx, stream, events.Any(), one)
		if err == nil {
			return at.Position
		}
		if ctx.Err() != nil {
			t.Fatalf("append: %v", err)
		}
	}
}

func read(ctx context.Context, t *testing.T, url, media string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", media)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	return answer
}
