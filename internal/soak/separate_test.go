package soak

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"
)

// TestSeparateProcesses runs every part as a process of its own: what is published through one API reaches the readers
// of the other, and a projector that stands by takes over when the one that works is killed.
func TestSeparateProcesses(t *testing.T) { // not parallel: it starts a whole system
	if testing.Short() {
		t.Skip("starts a whole system")
	}
	binary(t, "tidings") // compiling is not part of what has a deadline
	ctx, cancel := context.WithTimeoutCause(t.Context(), 3*time.Minute, errors.New("the test took too long"))
	defer cancel()
	began := time.Now()
	parts := startParts(t)
	one, oneURL := parts.program(t, "api")
	other, otherURL := parts.program(t, "api")
	working, workingURL := parts.program(t, "projector")
	untilReady(t, working, workingURL) // an API is ready when there are tables to read, which the projector makes
	untilReady(t, one, oneURL)
	untilReady(t, other, otherURL)
	standby, standbyURL := parts.program(t, "projector")
	untilReady(t, standby, standbyURL)

	t.Logf("everything was ready after %s", time.Since(began).Round(time.Millisecond))
	readers := append(follow(ctx, t, oneURL, []string{"ann"}), follow(ctx, t, otherURL, []string{"bob"})...)
	var answer struct{}
	for _, r := range readers {
		call(ctx, t, http.MethodPut, oneURL+"/v1/users/"+r.User+"/subscriptions/builds", nil, &answer)
	}
	want := []published{publish(ctx, t, oneURL, "topic:builds"), publish(ctx, t, otherURL, "topic:builds")}
	readers.mustReceive(ctx, t, want)
	projected(ctx, t, otherURL, "ann", want)

	killed := time.Now()
	working.kill()
	want = append(want, publish(ctx, t, oneURL, "topic:builds", "user:bob"), publish(ctx, t, otherURL, "topic:builds"))
	readers.mustReceive(ctx, t, want)
	t.Logf("live without a projector after %s", time.Since(killed).Round(time.Millisecond))
	projected(ctx, t, oneURL, "bob", want)
	t.Logf("the standby had taken over after %s", time.Since(killed).Round(time.Millisecond))
	for _, p := range []*program{standby, one, other} {
		p.stop(t)
	}
}

// parts are the event store and the database that the others share.
type parts struct{ store, database string }

func startParts(t *testing.T) parts {
	t.Helper()
	data, listen := t.TempDir(), freeAddress(t)
	start(t, "tidings", "node", "--data", filepath.Join(data, "store"), "--listen", listen)
	postgres := start(t, "tidings", "postgres", "--data", filepath.Join(data, "postgres"))
	return parts{store: "esdb://" + listen + "?tls=false", database: "postgres" + postgres.says(t, "postgres")}
}

// program starts an API or a projector and returns its URL.
func (p parts) program(t *testing.T, name string, flags ...string) (*program, string) {
	t.Helper()
	listen := freeAddress(t)
	started := start(t, name, append([]string{"--eventstore-url", p.store, "--database-url", p.database, "--listen", listen}, flags...)...)
	return started, "http://" + listen
}

// mustReceive waits until every reader has every notification, and holds them to once and in order.
func (f followers) mustReceive(ctx context.Context, t *testing.T, want []published) {
	t.Helper()
	for _, r := range f {
		for _, one := range want {
			if err := r.Received(ctx, one.ID); err != nil {
				t.Fatal(err)
			}
		}
		for _, wrong := range r.Wrong(ids(want)) {
			t.Error(wrong)
		}
	}
}

// projected waits until a user's inbox is what it must be: the notifications, newest first.
func projected(ctx context.Context, t *testing.T, api, user string, want []published) {
	t.Helper()
	var page struct {
		Items []struct {
			ID string `json:"id"`
		} `json:"items"`
	}
	address := api + "/v1/users/" + url.PathEscape(user) + "/inbox?wait_for=" + want[len(want)-1].Position
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for ask(ctx, http.MethodGet, address, nil, &page) != nil { // 503: the standby has not taken over yet
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("the inbox of %s did not come to %s: %v", user, want[len(want)-1].Position, context.Cause(ctx))
		}
	}
	if len(page.Items) != len(want) {
		t.Fatalf("got %d items in the inbox of %s, want %d", len(page.Items), user, len(want))
	}
	for i, item := range page.Items {
		if wanted := want[len(want)-1-i].ID; item.ID != wanted {
			t.Errorf("got item %d of %s's inbox %s, want %s", i, user, item.ID, wanted)
		}
	}
}

func ids(all []published) []string {
	var some []string
	for _, one := range all {
		some = append(some, one.ID)
	}
	return some
}
