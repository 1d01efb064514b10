package process

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings-io/tidings/internal/postgres"
	"github.com/tidings-io/tidings/internal/projections"
	"github.com/tidings-io/tidings/internal/pulse"
)

// parts are the programs, in this process.
type parts struct {
	store, database string
	api, projector  string // their URLs
	stopProjector   func()
}

// background runs something until stop or the test ends it.
func background(t *testing.T, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() {
		if err := run(ctx); err != nil && ctx.Err() == nil {
			t.Errorf("it ended: %v", err)
		}
	})
	stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(stop)
	return stop
}

func (p *parts) connect(t *testing.T, registry *prometheus.Registry) *Connections {
	t.Helper()
	connections, err := Connect(t.Context(), p.store, p.database, slog.New(slog.DiscardHandler), registry, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(connections.Close)
	return connections
}

// startAPI starts the store, too.
func startAPI(t *testing.T) *parts {
	t.Helper()
	silent := slog.New(slog.DiscardHandler)
	storeListener, listener := anyPort(t), anyPort(t)
	p := &parts{store: storeURL(storeListener), database: postgres.Fresh(t), api: "http://" + listener.Addr().String()}
	node := Node{Dir: t.TempDir(), Logger: silent, Registerer: prometheus.NewRegistry()}
	background(t, func(ctx context.Context) error { return node.Run(ctx, storeListener, nil) })
	registry := newRegistry()
	api := API{Connections: p.connect(t, registry), Logger: silent, Registry: registry, Loops: new(pulse.Loops)}
	background(t, func(ctx context.Context) error { return api.Run(ctx, listener, nil) })
	return p
}

func (p *parts) startProjector(t *testing.T) {
	t.Helper()
	listener, registry := anyPort(t), newRegistry()
	connections := p.connect(t, registry)
	projector := Projector{
		Store: connections.Store, DatabaseURL: p.database, StoreLimit: projections.DefaultStoreLimit, Pool: connections.Pool,
		Logger: slog.New(slog.DiscardHandler), Registry: registry, Loops: new(pulse.Loops),
	}
	p.projector = "http://" + listener.Addr().String()
	p.stopProjector = background(t, func(ctx context.Context) error { return projector.Run(ctx, listener) })
}

// found is what /readyz says of one dependency.
type found struct {
	State      string   `json:"state"`
	Reason     string   `json:"reason"`
	LagEvents  *int64   `json:"lag_events"`
	LagSeconds *float64 `json:"lag_seconds"`
}

func readyz(t *testing.T, url, name string) (status int, f found, text string) {
	t.Helper()
	status, text = fetch(t, http.MethodGet, url+"/readyz", "")
	var answer struct {
		Checks map[string]found `json:"checks"`
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatalf("read %s: %v", text, err)
	}
	return status, answer.Checks[name], text
}

func fetch(t *testing.T, method, url, body string) (status int, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

func (p *parts) order(t *testing.T, path, body string) {
	t.Helper()
	if status, text := fetch(t, http.MethodPost, p.api+path, body); status != http.StatusAccepted {
		t.Fatalf("%s: got %d %s", path, status, text)
	}
}

// TestALaggingReadModelIsReady, and says how far it is behind and why: being behind,
// paused, rebuilt and without a projector takes no API out of service.
func TestALaggingReadModelIsReady(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits until a read model is behind, some 20 s")
	}
	const alert = `{"to":["user:ann"],"title":"t"}`
	p := startAPI(t)
	await := func(what, url, name, state, reason string, status int) {
		t.Helper()
		last := ""
		defer func() {
			if t.Failed() {
				t.Log(last)
			}
		}()
		eventually(t, what, func() bool {
			got, f, text := readyz(t, url, name)
			last = text
			return got == status && f.State == state && strings.Contains(f.Reason, reason)
		})
	}
	await("no projector has begun", p.api, "database", "away", "no projector has begun", http.StatusServiceUnavailable)

	p.startProjector(t)
	await("the read model is there", p.api, "database", "ready", "", http.StatusOK)
	await("the projector works", p.projector, "inbox", "ready", "", http.StatusOK)

	conn, err := pgx.Connect(t.Context(), p.database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) }) // it was only read
	eventually(t, "it is written down that the first fold has ended", func() (built bool) {
		err := conn.QueryRow(t.Context(), "select caught_up_at is not null from versions").Scan(&built)
		return err == nil && built
	})
	says := func(of string) func() bool {
		return func() bool {
			_, text := fetch(t, http.MethodGet, p.api+"/v1/projections", "")
			return strings.Contains(strings.ReplaceAll(text, " ", ""), of)
		}
	}
	p.order(t, "/v1/projections/inbox/pause", `{"reason":"a test"}`)
	eventually(t, "it is paused", says(`"state":"paused"`))
	p.order(t, "/v1/notifications", alert)
	await("it is behind while it is paused", p.api, "database", "behind", "paused", http.StatusOK)
	await("so says the projector", p.projector, "inbox", "behind", "paused", http.StatusOK)
	if _, f, text := readyz(t, p.api, "database"); f.LagEvents == nil || *f.LagEvents < 1 || f.LagSeconds == nil || *f.LagSeconds < behindAfter.Seconds() {
		t.Errorf("got %s, want a lag", text)
	}
	p.order(t, "/v1/projections/inbox/resume", `{}`)
	await("it has caught up", p.api, "database", "ready", "", http.StatusOK)
	await("so says the projector", p.projector, "inbox", "ready", "", http.StatusOK)

	p.order(t, "/v1/projections/inbox/rebuild", `{"switch":"auto"}`)
	rebuilt := func() bool {
		for url, name := range map[string]string{p.api: "database", p.projector: "inbox"} {
			if status, f, text := readyz(t, url, name); status != http.StatusOK || f.State != "ready" {
				t.Fatalf("during a rebuild: got %d %s, want ready", status, text)
			}
		}
		return says(`"version":2,"state":"running","serving":true`)()
	}
	eventually(t, "the new version serves", rebuilt)

	p.stopProjector()
	p.order(t, "/v1/notifications", alert)
	await("nobody projects", p.api, "database", "behind", "no projector is at work", http.StatusOK)
}
