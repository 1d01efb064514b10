package soak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	connectedStreams = 50
	// devStopsWithin is what `tidings dev` promises of Ctrl-C.
	devStopsWithin = 10 * time.Second
)

// TestDevOnBadDays holds `tidings dev` to what it promises of its first start, of a second one on the same data, of a
// Postgres that dies under it, and of Ctrl-C in the middle of work.
func TestDevOnBadDays(t *testing.T) { // not parallel: it starts a whole system
	if testing.Short() {
		t.Skip("starts a whole system")
	}
	binary(t, "tidings") // compiling is not part of what has a deadline
	ctx, cancel := context.WithTimeoutCause(t.Context(), 4*time.Minute, errors.New("the test took too long"))
	defer cancel()
	interruptTheFirstStart(ctx, t)
	h := newHouse(t)
	if said := h.dev.err.String(); strings.Contains(said, "level=WARN") || strings.Contains(said, "level=ERROR") {
		t.Errorf("the first start is not quiet:\n%s", said)
	}
	users := make([]string, connectedStreams)
	for n := range users {
		users[n] = fmt.Sprintf("u%02d", n)
	}
	body, err := json.Marshal(map[string]any{"add": users})
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{}
	call(ctx, t, http.MethodPost, h.url+"/v1/topics/builds/subscribers", body, &answer)
	readers := follow(ctx, t, h.url, users)

	h.secondIsRefused(t)
	want := []published{publish(ctx, t, h.url, "topic:builds")}
	h.killPostgres(t)
	want = append(want, publish(ctx, t, h.url, "topic:builds"))
	readers.mustReceive(ctx, t, want)
	eventually(ctx, t, 3*recovery, "questions are answered again", func() error {
		_, err := inboxOf(ctx, h.url, users[0], want[1].Position)
		return err
	})
	for _, r := range readers {
		if _, connections := r.Count(); connections != 1 {
			t.Errorf("the stream of %s had %d connections, want the one that it began with", r.User, connections)
		}
	}

	acknowledged := h.stopInTheMiddle(ctx, t)
	h.up()
	want = append(want, acknowledged...)
	want = append(want, publish(ctx, t, h.url, "topic:builds"))
	readers.haveTheirInboxes(ctx, t, h.url, want)
	h.dev.stop(t)
}

// interruptTheFirstStart stops one that is still making its database, which is no failure.
func interruptTheFirstStart(ctx context.Context, t *testing.T) {
	t.Helper()
	data := t.TempDir()
	p := start(t, "tidings", "dev", "--data", data, "--listen", freeAddress(t), "--store-listen", freeAddress(t))
	eventually(ctx, t, readyDeadline, "the making of the database has begun", func() error {
		begun, err := filepath.Glob(filepath.Join(data, "postgres", "pgdata*", "base"))
		if err == nil && len(begun) == 0 {
			err = errors.New("there are no files yet")
		}
		return err
	})
	p.stop(t)
	if said := p.err.String(); strings.Contains(said, "tidings:") || strings.Contains(said, "level=ERROR") {
		t.Errorf("an interrupted first start complains:\n%s", said)
	}
}

// secondIsRefused starts another one on the same data.
func (h *house) secondIsRefused(t *testing.T) {
	t.Helper()
	second := start(t, "tidings", "dev", "--data", h.data, "--listen", freeAddress(t), "--store-listen", freeAddress(t))
	select {
	case <-second.ended:
	case <-time.After(stopDeadline):
		t.Fatalf("a second one on the same data runs for %s", stopDeadline)
	}
	var exit *exec.ExitError
	if !errors.As(second.exit, &exit) || exit.ExitCode() != 1 || !strings.Contains(second.err.String(), "in use by another process") {
		t.Errorf("a second one on the same data: got %v, want status 1 and why:\n%s", second.exit, second.err.String())
	}
	select {
	case <-h.dev.ended:
		t.Fatalf("a second one ended the first: %v", h.dev.exit)
	default:
	}
}

// killPostgres kills the server program that the process has started.
func (h *house) killPostgres(t *testing.T) {
	t.Helper()
	signalPostmaster(t, filepath.Join(h.data, "postgres"), syscall.SIGKILL)
}

// signalPostmaster sends a signal to the server program that one of ours has started in a directory.
func signalPostmaster(t *testing.T, dir string, signal syscall.Signal) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "pgdata", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil || pid <= 1 {
		t.Fatalf("got process id %q, %v", first, err)
	}
	if err := syscall.Kill(pid, signal); err != nil {
		t.Fatal(err)
	}
}

// stopInTheMiddle stops it while requests of all kinds are under way, and returns what was acknowledged.
func (h *house) stopInTheMiddle(ctx context.Context, t *testing.T) []published {
	t.Helper()
	var (
		mu           sync.Mutex
		acknowledged []published
		working      sync.WaitGroup
	)
	enough := make(chan struct{})
	took := func(one published) {
		mu.Lock()
		defer mu.Unlock()
		if acknowledged = append(acknowledged, one); len(acknowledged) == publishesFirst {
			close(enough)
		}
	}
	for n := range publishers {
		prefer := []string{"", "wait=5", "wait=30"}[n%3] // 30 s is longer than a stop may take
		working.Go(func() {
			for {
				a, err := send(ctx, http.MethodPost, h.url+"/v1/notifications", `{"to":["topic:builds"],"title":"work"}`, "Prefer", prefer)
				if err != nil {
					return // it has stopped; what it did not acknowledge may or may not be there
				}
				if a.status >= http.StatusMultipleChoices {
					t.Errorf("a publish while it stops: got %d %s, want it done or not answered", a.status, a.text)
					return
				}
				took(a.published)
			}
		})
	}
	working.Go(func() { // a question that is held as long as any
		for {
			a, err := send(ctx, http.MethodGet, h.url+"/v1/users/u00/inbox?wait_for=9000000000", "")
			if err != nil {
				return
			}
			if !a.is503("not_yet_projected") {
				t.Errorf("a question that waits while it stops: got %d %s, want 503 not_yet_projected", a.status, a.text)
			}
		}
	})
	select {
	case <-enough:
	case <-ctx.Done():
		t.Fatal(context.Cause(ctx))
	}
	began := time.Now()
	h.dev.stop(t)
	if duration := time.Since(began); duration > devStopsWithin {
		t.Errorf("it took %s to stop, want at most %s", duration, devStopsWithin)
	}
	working.Wait()
	t.Logf("stopped in %s with %d publishes acknowledged", time.Since(began).Round(time.Millisecond), len(acknowledged))
	return acknowledged
}

// haveTheirInboxes holds every reader to having what is in its user's inbox, once and in order, and that to holding
// what was acknowledged. The last of these must be the last that was published.
func (f followers) haveTheirInboxes(ctx context.Context, t *testing.T, url string, acknowledged []published) {
	t.Helper()
	last := acknowledged[len(acknowledged)-1]
	for _, r := range f {
		if err := r.Received(ctx, last.ID); err != nil {
			t.Fatal(err)
		}
		inbox, err := inboxOf(ctx, url, r.User, last.Position)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range acknowledged {
			if !slices.Contains(inbox, one) {
				t.Errorf("%s at %s was acknowledged, and is not in the inbox of %s", one.ID, one.Position, r.User)
			}
		}
		for _, wrong := range r.Wrong(ids(inbox)) {
			t.Error(wrong)
		}
	}
}
