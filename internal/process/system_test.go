package process

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings-io/tidings/internal/postgres"
	"github.com/tidings-io/tidings/internal/projections"
	"github.com/tidings-io/tidings/internal/tracing"
)

// system is an event store, an API and a projector, joined as they are on three machines.
type system struct {
	url                  string
	api, projector, node *prometheus.Registry
}

// run keeps something running until the test ends, and waits for its end.
func run(t *testing.T, what string, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", what, err)
		}
	})
}

func anyPort(t *testing.T) net.Listener {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// startSystem starts one whose API and projector trace as told; nil: not at all. It returns once both serve.
func startSystem(t *testing.T, logger *slog.Logger, apiTraces, projectorTraces *tracing.Provider) *system {
	t.Helper()
	database := postgres.Fresh(t)
	s := &system{api: newRegistry(), projector: newRegistry(), node: newRegistry()}
	store, dir := anyPort(t), t.TempDir()
	run(t, "the node", func(ctx context.Context) error {
		return Node{Dir: dir, Logger: logger, Registerer: s.node}.Run(ctx, store, nil)
	})
	connect := func(registry *prometheus.Registry, traces *tracing.Provider) *Connections {
		connections, err := Connect(t.Context(), storeURL(store), database, logger, registry, traces)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(connections.Close)
		return connections
	}
	projector := connect(s.projector, projectorTraces)
	listener := anyPort(t)
	run(t, "the projector", func(ctx context.Context) error {
		return served(ctx, Projector{
			Store: projector.Store, DatabaseURL: database, StoreLimit: projections.DefaultStoreLimit, Pool: projector.Pool,
			SelfCheckEvery: time.Hour, Logger: logger, Registry: s.projector, Tracer: projectorTraces.Tracer(),
		}.Run(ctx, listener))
	})
	awaitReady(t, "http://"+listener.Addr().String())
	edge := anyPort(t)
	api := connect(s.api, apiTraces)
	s.url = "http://" + edge.Addr().String()
	run(t, "the API", func(ctx context.Context) error {
		return served(ctx, API{Connections: api, Logger: logger, Registry: s.api, Tracer: apiTraces.Tracer()}.Run(ctx, edge, nil))
	})
	awaitReady(t, s.url)
	return s
}

func awaitReady(t *testing.T, url string) {
	t.Helper()
	eventually(t, url+" is ready", func() bool {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/readyz", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	late := time.After(programPatience)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !is() {
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("%s: not after %s", what, programPatience)
		}
	}
}

// do sends a request with headers given as name, value, … and returns what was answered.
func (s *system) do(t *testing.T, method, path, body string, headers ...string) (status int, answer string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// must is do for what is answered with 2xx.
func (s *system) must(t *testing.T, method, path, body string, headers ...string) (answer string) {
	t.Helper()
	status, answer := s.do(t, method, path, body, headers...)
	if status/100 != 2 {
		t.Fatalf("%s %s: got %d: %s", method, path, status, answer)
	}
	return answer
}

// follow reads a user's stream from now on; told waits for an event of a name.
func (s *system) follow(t *testing.T, user string) (told func(event string)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), programPatience)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/v1/users/"+user+"/inbox/stream", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	lines := bufio.NewScanner(response.Body)
	told = func(event string) {
		t.Helper()
		for lines.Scan() {
			if lines.Text() == "event: "+event {
				return
			}
		}
		t.Fatalf("the stream ended before %s: %v", event, lines.Err())
	}
	told("connected")
	return told
}

// publish has ann subscribe, follow, and be told of a notification, and waits until all of it has happened.
func (s *system) publish(t *testing.T, headers ...string) {
	t.Helper()
	s.must(t, http.MethodPut, "/v1/users/ann-user/subscriptions/builds-topic", `{}`, "Prefer", "wait=60")
	told := s.follow(t, "ann-user")
	body := fmt.Sprintf(`{"to":["topic:builds-topic"],"title":%q,"body":%q,"data":{"secret":%q}}`, "title-"+hush, "body-"+hush, "data-"+hush)
	s.must(t, http.MethodPost, "/v1/notifications", body, append(headers, "Prefer", "wait=60", "X-Request-Id", "request-1")...)
	told("message")
}
