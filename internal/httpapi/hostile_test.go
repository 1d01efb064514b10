package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/httpapi"
	"github.com/tidings-io/tidings/internal/postgres"
)

var hostileSeed = flag.Uint64("hostile-seed", 0, "seed of the hostile requests, to send those of a run that failed once more; 0: another one each time")

const (
	hostileRequests      = 10_000
	hostileRequestsShort = 1_000
	hostileClients       = 4
	// hostileWait is how long an answer may take, on a machine that does much else.
	hostileWait = 30 * time.Second
	// servedAs is the only name, beside the machine's own, that the server has.
	servedAs = "tidings.example"
)

// TestHostileRequests sends generated requests that nobody who means well sends, over
// connections of TCP: net/http's client would refuse to send many of them. All are
// answered 4xx, and nothing comes of them.
func TestHostileRequests(t *testing.T) { //nolint:paralleltest // it looks for goroutines that are left, of which others would leave some
	seed, n := *hostileSeed, hostileRequests
	if seed == 0 {
		seed = rand.Uint64()
	}
	if testing.Short() {
		n = hostileRequestsShort
	}
	t.Logf("seed %d: go test -run '^TestHostileRequests$' ./internal/httpapi -args -hostile-seed=%d", seed, seed)
	leavesNothing(t)
	b := besiege(t)
	before := b.head(t)
	began := time.Now()
	count := b.storm(t, seed, n)
	t.Logf("%d requests in %s", n, time.Since(began).Round(time.Millisecond))
	count.report(t)
	for stored, err := range b.store.ReadAll(t.Context(), before, events.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		t.Errorf("appended: %s %s %s %s", stored.Stream, stored.Type, stored.Data, stored.Metadata)
	}
	for _, line := range b.log.lines() {
		t.Errorf("logged: %s", line)
	}
}

// leavesNothing looks, when everything is closed, for goroutines that were not there
// before.
func leavesNothing(t *testing.T) {
	t.Helper()
	_ = postgres.Fresh(t) // the server of all tests stays
	current := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		if err := goleak.Find(current); err != nil {
			t.Errorf("goroutines are left: %v", err)
		}
	})
}

// besieged is a whole system behind a server as the programs have it.
type besieged struct {
	*guarded

	address string
	log     *alarm
	arsenal *arsenal
}

func besiege(t *testing.T) *besieged {
	t.Helper()
	log := &alarm{}
	b := &besieged{log: log}
	b.guarded = serveGuarded(t, httpapi.Config{Logger: slog.New(log), Hosts: []string{servedAs}})
	b.begun(t)
	c := b.config
	c.Registerer = prometheus.NewRegistry()
	handler, err := httpapi.New(c)
	if err != nil {
		t.Fatal(err)
	}
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.address = listener.Addr().String()
	run(t, func(ctx context.Context) error { return httpapi.Serve(ctx, listener, handler, nil, c.Logger) })
	b.arsenal = newArsenal(t, b.guarded)
	return b
}

// alarm keeps what nobody may bring the server to log: errors, and panics at
// whichever level net/http tells of them.
type alarm struct {
	mu   sync.Mutex
	told []string
}

// Enabled takes all levels.
func (*alarm) Enabled(context.Context, slog.Level) bool { return true }

// Handle keeps the first few.
func (a *alarm) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(attr slog.Attr) bool {
		text += " " + attr.String()
		return true
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	if (r.Level >= slog.LevelError || strings.Contains(text, "panic") || strings.Contains(text, "superfluous")) && len(a.told) < 10 {
		a.told = append(a.told, text)
	}
	return nil
}

// WithAttrs is the same.
func (a *alarm) WithAttrs([]slog.Attr) slog.Handler { return a }

// WithGroup is the same.
func (a *alarm) WithGroup(string) slog.Handler { return a }

func (a *alarm) lines() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.told)
}

// tally counts answers by kind of request and status; closed connections are 0.
type tally struct {
	mu   sync.Mutex
	seen map[string]map[int]int
}

func (c *tally) add(kind string, status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen[kind] == nil {
		c.seen[kind] = map[int]int{}
	}
	c.seen[kind][status]++
}

// report holds the generator to what it is for: each kind of request was sent, and
// came as far as it should.
func (c *tally) report(t *testing.T) {
	t.Helper()
	for _, kind := range kinds {
		t.Logf("%-16s %v", kind.name, c.seen[kind.name])
		for _, status := range kind.reaches {
			if c.seen[kind.name][status] == 0 {
				t.Errorf("no request of the kind %q was answered %d", kind.name, status)
			}
		}
	}
}

// storm sends the requests of a seed. What the nth is depends on nothing but the seed.
func (b *besieged) storm(t *testing.T, seed uint64, n int) *tally {
	t.Helper()
	count := &tally{seen: map[string]map[int]int{}}
	var next atomic.Int64
	var wrong atomic.Int64
	var clients sync.WaitGroup
	for range hostileClients {
		clients.Go(func() {
			c := &hostileClient{address: b.address}
			defer c.leave()
			for i := int(next.Add(1)); i <= n && wrong.Load() < 10; i = int(next.Add(1)) {
				q := b.arsenal.request(rand.New(rand.NewPCG(seed, uint64(i))))
				if err := c.send(t.Context(), q, count); err != nil {
					wrong.Add(1)
					t.Errorf("request %d, %s: %v\n%.1200q", i, q.kind, err, q.bytes())
				}
			}
		})
	}
	clients.Wait()
	return count
}

// hostileClient sends one request after the other over one connection, as long as it lasts.
type hostileClient struct {
	address string
	conn    *net.TCPConn
	answers *bufio.Reader
}

func (c *hostileClient) leave() {
	if c.conn != nil {
		_ = c.conn.Close() // whatever became of it
		c.conn = nil
	}
}

func (c *hostileClient) dial(ctx context.Context) error {
	if c.conn != nil {
		return nil
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", c.address)
	if err != nil {
		return err
	}
	c.conn, _ = conn.(*net.TCPConn) // it is what tcp is
	c.answers = bufio.NewReader(conn)
	return nil
}

// send sends a request and judges what comes back.
func (c *hostileClient) send(ctx context.Context, q *hostile, count *tally) error {
	if q.broken {
		c.leave()
	}
	if err := c.dial(ctx); err != nil {
		return err
	}
	if err := c.conn.SetDeadline(time.Now().Add(hostileWait)); err != nil {
		return err
	}
	wrote := make(chan error, 1)
	conn := c.conn
	go func() {
		_, err := conn.Write(q.bytes())
		if q.broken && err == nil {
			err = conn.CloseWrite() // what is missing will not come
		}
		wrote <- err
	}()
	defer func() { <-wrote }()
	if q.broken {
		defer c.leave()
		return c.rest(q, count)
	}
	status, closes, err := c.answer(q)
	if err != nil || closes {
		c.leave()
	}
	count.add(q.kind, status)
	return err
}

// rest judges all answers to a request that may be taken for several, or for none.
func (c *hostileClient) rest(q *hostile, count *tally) error {
	for n := 0; ; n++ {
		status, _, err := c.answer(q)
		switch {
		case errors.Is(err, errNoAnswer) && n > 0:
			return nil
		case errors.Is(err, errNoAnswer):
			count.add(q.kind, 0)
			return nil
		case err != nil:
			return err
		}
		count.add(q.kind, status)
	}
}

var errNoAnswer = errors.New("the connection was closed without an answer")

// answer reads one answer and judges it.
func (c *hostileClient) answer(q *hostile) (status int, closes bool, err error) {
	answer, err := http.ReadResponse(c.answers, &http.Request{Method: q.method})
	for err == nil && answer.StatusCode == http.StatusContinue {
		answer, err = http.ReadResponse(c.answers, &http.Request{Method: q.method})
	}
	var late net.Error
	switch {
	case errors.As(err, &late) && late.Timeout():
		return 0, true, fmt.Errorf("no answer within %s: %w", hostileWait, err)
	case err != nil: // the end, or a reset where the server had not read all
		return 0, true, fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return answer.StatusCode, true, fmt.Errorf("%s breaks off: %w", answer.Status, err)
	}
	return answer.StatusCode, answer.Close, q.judge(answer, text)
}

// judge says what is wrong with an answer.
func (q *hostile) judge(answer *http.Response, text []byte) error {
	status := answer.StatusCode
	switch {
	case status < 400 || status > 499:
		return fmt.Errorf("got %s %s, want 4xx", answer.Status, text)
	case !q.broken && !slices.Contains(q.want, status):
		return fmt.Errorf("got %s %s, want one of %v", answer.Status, text, q.want)
	}
	var head bytes.Buffer
	if err := answer.Header.Write(&head); err != nil {
		return err
	}
	for _, secret := range q.secrets {
		if bytes.Contains(text, []byte(secret)) || bytes.Contains(head.Bytes(), []byte(secret)) {
			return fmt.Errorf("%s repeats the credential: %s%s", answer.Status, &head, text)
		}
	}
	id := answer.Header.Get("X-Request-Id")
	if id == "" { // net/http did not let it come to us
		if !q.broken && !q.unread {
			return fmt.Errorf("got %s %s from net/http, want a problem of ours", answer.Status, text)
		}
		return nil
	}
	return isProblem(answer, text, id, q.method == http.MethodHead)
}

// isProblem says what a problem lacks.
func isProblem(answer *http.Response, text []byte, id string, headOnly bool) error {
	if got := answer.Header.Get("Content-Type"); got != "application/problem+json" {
		return fmt.Errorf("%s has the type %q: %s", answer.Status, got, text)
	}
	if headOnly {
		return nil
	}
	var p httpapi.Problem
	if err := json.Unmarshal(text, &p); err != nil {
		return fmt.Errorf("%s %s: %w", answer.Status, text, err)
	}
	if p.Status != answer.StatusCode || p.RequestID != id || p.Code == "" || p.Title == "" || p.Detail == "" || p.Type != "/docs/errors#"+p.Code {
		return fmt.Errorf("%s does not go with %s", answer.Status, text)
	}
	if known := answer.Header.Get("WWW-Authenticate") != ""; known != (p.Status == http.StatusUnauthorized || p.Code == "insufficient_scope" || p.Code == "forbidden") {
		return fmt.Errorf("%s with WWW-Authenticate %q", answer.Status, answer.Header.Get("WWW-Authenticate"))
	}
	return nil
}

// Whoever sends all they have to send, and says so, still waits for the answer. The
// server takes that for their leaving, and does less than they asked: then it closes
// the connection, rather than let it look like a success.
func TestAClientThatSendsNoMore(t *testing.T) {
	t.Parallel()
	s := serve(t, httpapi.Config{})
	c := &hostileClient{address: s.Listener.Addr().String()}
	defer c.leave()
	for range 20 {
		c.leave()
		if err := c.dial(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err := io.WriteString(c.conn, "GET /v1/users/ann/inbox?wait_for=1 HTTP/1.1\r\nHost: t\r\n\r\n")
		if err = errors.Join(err, c.conn.CloseWrite()); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(c.answers, nil)
		if err != nil {
			continue // closed
		}
		if answer.StatusCode != http.StatusServiceUnavailable {
			t.Fatalf("got %s to a question that was not answered", answer.Status)
		}
		_ = answer.Body.Close()
	}
}
