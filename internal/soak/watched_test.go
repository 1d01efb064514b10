package soak

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidings-io/tidings/internal/eventstore/node"
)

const (
	storeUser, storePassword = "tidings", "correct-horse-battery"
	watchedIssuer            = "https://id.example.com"
)

// watched is a whole system with everything that has an alert: a node with TLS and users, a database, a projector that
// doubts its tables every second, an API beside them, and one that is far away, over wires. All of them are scraped.
type watched struct {
	parts
	prometheus *prometheus

	dir       string
	users     string           // file of the node's users
	tls       string           // directory of its certificate
	keys      *httptest.Server // serves the issuer's key set
	traces    *httptest.Server // takes them and keeps none: exemplars need only their ids
	token     string           // of an admin
	tokenFile string

	node, projector         *program
	nodeListen, nodeMonitor string
	projectorListen         string
	near, far               string // URLs
	nearMonitor, farMonitor string
	farStore, farDatabase   *wire
	working                 sync.WaitGroup
}

func startWatched(ctx context.Context, t *testing.T) *watched {
	t.Helper()
	w := &watched{dir: t.TempDir(), nodeListen: freeAddress(t), nodeMonitor: freeAddress(t), projectorListen: freeAddress(t)}
	w.makeCredentials(t)
	w.traces = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		_, _ = io.Copy(io.Discard, request.Body) // 200, whatever it was
	}))
	t.Cleanup(w.traces.Close)
	w.startNode(t)
	w.store = w.storeURL(w.nodeListen, storePassword)
	postgres := start(t, "tidings", "postgres", "--data", filepath.Join(w.dir, "postgres"))
	w.database = "postgres" + postgres.says(t, "postgres")
	w.startProjector(t, "1s")
	untilReady(t, w.projector, "http://"+w.projectorListen)
	w.startAPIs(t)
	w.work(ctx, t)
	return w
}

// makeCredentials makes a certificate, the node's user, the issuer's key set, and a token.
func (w *watched) makeCredentials(t *testing.T) {
	t.Helper()
	w.tls, w.users = filepath.Join(w.dir, "tls"), filepath.Join(w.dir, "users")
	w.issueCertificate(t, "365")
	line, err := node.HashPassword(storeUser, []byte(storePassword))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.users, []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(map[string]any{"keys": []any{map[string]string{
		"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "one", "x": base64.RawURLEncoding.EncodeToString(public),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	w.keys = httptest.NewServer(http.HandlerFunc(func(response http.ResponseWriter, _ *http.Request) {
		response.Header().Set("Content-Type", "application/json")
		_, _ = response.Write(set) // the fetch fails visibly
	}))
	t.Cleanup(w.keys.Close)
	w.token = strings.TrimSpace(run(t, "tidings", "token", "--sub", "root", "--scope", "admin",
		"--new-key", w.secret(), "--issuer", watchedIssuer, "--audience", "tidings"))
	w.tokenFile = filepath.Join(w.dir, "token")
	if err := os.WriteFile(w.tokenFile, []byte(w.token), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (w *watched) secret() string { return filepath.Join(w.dir, "jwt.secret") }

// issueCertificate writes one of the same authority over the one that is there.
func (w *watched) issueCertificate(t *testing.T, days string) {
	t.Helper()
	run(t, "tidings", "node", "certificate", "127.0.0.1", "--dir", w.tls, "--days", days)
}

func (w *watched) storeURL(address, password string) string {
	return fmt.Sprintf("esdb://%s:%s@%s?tls=true&tlsCaFile=%s", storeUser, password, address, filepath.Join(w.tls, "authority.pem"))
}

func (w *watched) startNode(t *testing.T, flags ...string) {
	t.Helper()
	w.node = start(t, "tidings", append([]string{
		"node", "--data", filepath.Join(w.dir, "store"), "--listen", w.nodeListen, "--monitor-listen", w.nodeMonitor,
		"--tls-cert", filepath.Join(w.tls, "node.pem"), "--tls-key", filepath.Join(w.tls, "node.key"), "--users-file", w.users,
	}, flags...)...)
	w.node.says(t, "ready esdb://")
}

func (w *watched) startProjector(t *testing.T, selfCheckEvery string) {
	t.Helper()
	w.projector = start(t, "projector", "--eventstore-url", w.store, "--database-url", w.database, "--listen", w.projectorListen,
		"--otlp-endpoint", w.traces.URL, "--self-check-every", selfCheckEvery)
}

// startAPIs starts two: the one that is far has few connections to Postgres, and verifies no tokens by a key set.
func (w *watched) startAPIs(t *testing.T) {
	t.Helper()
	database, err := url.Parse(w.database)
	if err != nil {
		t.Fatal(err)
	}
	w.farStore, w.farDatabase = startWire(t, "far-store", w.nodeListen), startWire(t, "far-database", database.Host)
	database.Host = w.farDatabase.address()
	query := database.Query()
	query.Set("pool_max_conns", "2")
	database.RawQuery = query.Encode()

	var near, far *program
	near, w.near, w.nearMonitor = w.api(t, w.store, w.database, "--jwks-url", w.keys.URL)
	far, w.far, w.farMonitor = w.api(t, w.storeURL(w.farStore.address(), storePassword), database.String())
	untilReady(t, near, w.near)
	untilReady(t, far, w.far)
}

func (w *watched) api(t *testing.T, store, database string, flags ...string) (started *program, at, monitor string) {
	t.Helper()
	listen, monitor := freeAddress(t), freeAddress(t)
	started = start(t, "api", append([]string{
		"--eventstore-url", store, "--database-url", database, "--listen", listen, "--monitor-listen", monitor,
		"--jwt-key", w.secret(), "--jwt-issuer", watchedIssuer, "--jwt-audience", "tidings",
		"--otlp-endpoint", w.traces.URL, "--limit-user", "commands=1000/s,queries=1000/s,connects=100/s",
	}, flags...)...)
	return started, "http://" + listen, monitor
}

// work publishes a little through both APIs to a reader of each, until the test is over, whatever becomes of it.
func (w *watched) work(ctx context.Context, t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(ctx)
	for user, api := range map[string]string{"ann": w.near, "bob": w.far} {
		w.mustSend(ctx, t, http.MethodPut, api+"/v1/users/"+user+"/subscriptions/builds", "")
		visit(ctx, t, &Reader{URL: api, User: user, Client: w.client()})
		audit := &http.Client{Transport: bearer(w.token)}
		w.working.Go(func() { follows(ctx, audit, api+"/v1/audit/stream") })
	}
	for _, api := range []string{w.near, w.far} {
		for range 4 { // so that one append that hangs does not keep the others from being counted
			w.working.Go(func() {
				for every := time.NewTicker(400 * time.Millisecond); ctx.Err() == nil; <-every.C {
					_, _ = w.send(ctx, http.MethodPost, api+"/v1/notifications", `{"to":["topic:builds"],"title":"work"}`)
				}
			})
		}
	}
	t.Cleanup(func() { stop(); w.working.Wait() })
}

// follows reads a stream for as long as it comes, and does not look at it.
func follows(ctx context.Context, client *http.Client, url string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return
	}
	response, err := client.Do(request)
	if err != nil {
		return
	}
	defer response.Body.Close()
	for stream := NewDecoder(response.Body); err == nil; {
		_, err = stream.Next()
	}
}

// bearer shows a token with each request.
type bearer string

// RoundTrip implements http.RoundTripper.
func (b bearer) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	request.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(request)
}

func (w *watched) client() *http.Client { return &http.Client{Transport: bearer(w.token)} }

func (w *watched) send(ctx context.Context, method, url, body string) (answer, error) {
	return send(ctx, method, url, body, "Authorization", "Bearer "+w.token)
}

func (w *watched) mustSend(ctx context.Context, t *testing.T, method, url, body string) answer {
	t.Helper()
	a, err := w.send(ctx, method, url, body)
	if err != nil || a.status >= http.StatusMultipleChoices {
		t.Fatalf("%s %s: got %d %s, %v, want it done", method, url, a.status, a.text, err)
	}
	return a
}

// operate is `tidings projections`, through the API that is near.
func (w *watched) operate(t *testing.T, args ...string) {
	t.Helper()
	run(t, "tidings", append(append([]string{"projections"}, args...), "--url", w.near, "--token-file", w.tokenFile, "--reason", "a test")...)
}

// deaf opens a stream of a user and reads nothing of it, as a client does that hangs.
func (w *watched) deaf(ctx context.Context, t *testing.T, user string) {
	t.Helper()
	host := strings.TrimPrefix(w.near, "http://")
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })                             // the server may have closed it
	if err := conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil { // it was dialled as tcp
		t.Fatal(err)
	}
	_, err = fmt.Fprintf(conn, "GET /v1/users/%s/inbox/stream HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", user, host, w.token)
	if err != nil {
		t.Fatal(err)
	}
}
