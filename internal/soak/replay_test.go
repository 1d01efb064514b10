package soak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidings-io/tidings/internal/workload"
)

// TestAReplayedInstanceIsTheSame replays a small history into an empty instance, killed in the middle, and again after
// its users have done things of all kinds.
func TestAReplayedInstanceIsTheSame(t *testing.T) { // not parallel: it starts whole systems
	if testing.Short() {
		t.Skip("starts whole systems")
	}
	var small torture
	small.generate(t, 500, 100, 20)
	small.replay(t, 150)
}

// TestSoakReplay does the same with six years of a real history.
func TestSoakReplay(t *testing.T) { // not parallel: it starts whole systems
	if !*long {
		t.Skip("takes minutes: make soak runs it")
	}
	history := torture{file: publishedWorkload, expected: publishedOutcome}
	if _, err := os.Stat(history.file); errors.Is(err, fs.ErrNotExist) {
		t.Log("the published workload is not beside this repository; a generated one of its size stands for it")
		history.generate(t, workload.DefaultPublishes, workload.DefaultUsers, workload.DefaultTopics)
	}
	history.replay(t, 1000)
}

// replay imports into one instance, replays into another, and lets the importer say what came of it there: it must
// find every line done, by the correlation ids that both audit trails have.
func (s *torture) replay(t *testing.T, steps int) {
	ctx, cancel := context.WithTimeoutCause(t.Context(), deadline, errors.New("the run took too long"))
	defer cancel()
	w, err := workload.Open(s.file)
	if err != nil {
		t.Fatal(err)
	}
	here, there := newHouse(t), newHouse(t)
	t.Log(run(t, "tidings", "import", s.file, "--url", here.url))
	again := run(t, "tidings", "import", s.file, "--url", here.url, "--verify", s.expected)

	checkpoint := filepath.Join(t.TempDir(), "checkpoint")
	replay := []string{"replay", "--url", here.url, "--to", there.url, "--checkpoint", checkpoint, "--strict"}
	killInTheMiddle(ctx, t, checkpoint, int64(len(w.Ops))*40, replay...)
	began := time.Now()
	t.Log(run(t, "tidings", replay...), "the rest took ", time.Since(began).Round(time.Millisecond))
	verified := run(t, "tidings", "import", s.file, "--url", there.url, "--verify", s.expected)
	if got, want := linesDone(t, verified), linesDone(t, again); got != want {
		t.Errorf("the importer found %q there, want what it finds here, %q", got, want)
	}
	t.Log(verified)

	d := newDoings(ctx, t, here.url, w)
	for range steps {
		d.step()
	}
	killInTheMiddle(ctx, t, checkpoint, int64(steps)*15, replay...)
	t.Log(run(t, "tidings", replay...))
	headHere, headThere := headOf(t, here.url), headOf(t, there.url)
	for _, user := range d.users {
		got, want := inboxShown(ctx, t, there.url, user, headThere), inboxShown(ctx, t, here.url, user, headHere)
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("seed %d: the inbox of %s there (-), here (+):\n%s", d.seed, user, diff)
		}
	}
	here.dev.stop(t)
	there.dev.stop(t)
}

// killInTheMiddle kills a replay when its checkpoint has grown by some bytes; one that ends before is none the worse.
func killInTheMiddle(ctx context.Context, t *testing.T, checkpoint string, grown int64, replay ...string) {
	t.Helper()
	size := func() int64 {
		info, err := os.Stat(checkpoint)
		if err != nil {
			return 0 // it comes
		}
		return info.Size()
	}
	before := size()
	p := start(t, "tidings", replay...)
	eventually(ctx, t, 4*time.Minute, "the replay is in its middle", func() error {
		select {
		case <-p.ended:
			if p.exit != nil {
				t.Fatalf("the replay ended: %v\n%s", p.exit, p.err.String())
			}
			t.Log("the replay ended before it was killed")
			return nil
		default:
		}
		if size()-before < grown {
			return fmt.Errorf("the checkpoint has grown by %d bytes", size()-before)
		}
		return nil
	})
	p.kill()
	t.Logf("killed when the checkpoint had grown by %d bytes", size()-before)
}

// linesDone is how many lines of a workload were done before an import.
func linesDone(t *testing.T, said string) string {
	t.Helper()
	_, done, found := strings.Cut(said, "; ")
	done, _, ended := strings.Cut(done, " were done before")
	if !found || !ended {
		t.Fatalf("the importer said %q", said)
	}
	return done
}

// doings are what the users with the largest inboxes do, and what is done to them.
type doings struct {
	ctx    context.Context
	t      *testing.T
	url    string
	seed   uint64
	random *rand.Rand
	users  []string
	topics []string
	n      int
	head   uint64 // of the log, or a little below
}

func newDoings(ctx context.Context, t *testing.T, url string, w *workload.Workload) *doings {
	t.Helper()
	d := &doings{ctx: ctx, t: t, url: url, seed: rand.Uint64(), users: largest(w, 12)}
	d.random = rand.New(rand.NewPCG(d.seed, 0))
	for i := range w.Ops {
		if op := &w.Ops[i]; op.Topic != "" && slices.Contains(d.users, op.User) && !slices.Contains(d.topics, op.Topic) {
			d.topics = append(d.topics, op.Topic)
		}
	}
	t.Logf("seed %d of what %d users do on %d topics", d.seed, len(d.users), len(d.topics))
	return d
}

func (d *doings) one(of []string) string { return of[d.random.IntN(len(of))] }

func (d *doings) do(method, path string, body any) {
	d.t.Helper()
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			d.t.Fatal(err)
		}
	}
	a, err := send(d.ctx, method, d.url+path, string(text), "Prefer", "wait=10")
	if err != nil || a.status >= http.StatusMultipleChoices {
		d.t.Fatalf("seed %d: %s %s %s: got %v %d %s", d.seed, method, path, text, err, a.status, a.text)
	}
	if position, err := strconv.ParseUint(a.Position, 10, 64); err == nil {
		d.head = max(d.head, position)
	}
}

func (d *doings) step() {
	d.t.Helper()
	d.n++
	user, topic := d.one(d.users), d.one(d.topics)
	ofUser, subscription := "/v1/users/"+user, "/v1/users/"+user+"/subscriptions/"+url.PathEscape(topic)
	switch d.random.IntN(12) {
	case 0, 1:
		d.do(http.MethodPut, subscription, map[string]any{
			"min_severity": d.one([]string{"low", "high"}), "filter": d.one([]string{"", "data.n > 1", "severity != 'low'"}),
		})
	case 2:
		d.do(http.MethodDelete, subscription, nil)
	case 3:
		d.do(http.MethodPut, ofUser+"/preferences", map[string]any{"muted_topics": d.topics[:d.random.IntN(min(4, len(d.topics)))]})
	case 4:
		d.do(http.MethodPut, "/v1/topics/"+url.PathEscape(topic), map[string]any{"description": strconv.Itoa(d.n)})
	case 5:
		d.do(http.MethodPost, "/v1/notifications/batch", map[string]any{"notifications": []any{d.notification(), d.notification(), d.notification()}})
	case 6, 7:
		d.do(http.MethodPost, "/v1/notifications", d.notification())
	case 8:
		if items := d.items(user); len(items) > 0 {
			d.do(http.MethodDelete, "/v1/notifications/"+d.one(items), nil)
		}
	case 9:
		through := strconv.FormatUint(1+d.random.Uint64N(d.head+1), 10)
		d.do(http.MethodPost, ofUser+"/inbox/"+d.change(), map[string]any{"through": through})
	default:
		if items := d.items(user); len(items) > 0 {
			d.do(http.MethodPost, ofUser+"/inbox/"+d.change(), map[string]any{"ids": []string{d.one(items)}})
		}
	}
}

func (d *doings) change() string {
	return d.one([]string{"read", "read", "unread", "seen", "archive", "unarchive", "delete"})
}

func (d *doings) notification() map[string]any {
	return map[string]any{
		"to": []string{"topic:" + d.one(d.topics), "user:" + d.one(d.users)}, "title": fmt.Sprintf("doing %d.%d", d.n, d.random.IntN(1e9)),
		"severity": d.one([]string{"low", "normal", "high"}), "data": map[string]any{"n": d.random.IntN(3)}, "body": "<&>", "link": "https://x.example/?a&b",
	}
}

func (d *doings) items(user string) []string {
	d.t.Helper()
	items, err := inboxOf(d.ctx, d.url, user, "0")
	if err != nil {
		d.t.Fatal(err)
	}
	return ids(items)
}

// headOf is the position of the log's last event. What the projections say of it may be a moment old.
func headOf(t *testing.T, url string) string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(run(t, "tidings", "replay", "--url", url, "--output", "-")), "\n")
	var last published
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Fatal(err)
	}
	return last.Position
}

// inboxShown is all an inbox shows, archived items and counts too, but for ids, positions and times.
func inboxShown(ctx context.Context, t *testing.T, url, user, head string) []any {
	t.Helper()
	var all []any
	for _, state := range []string{"all", "archived"} {
		for cursor := ""; ; {
			var page struct {
				Items      []map[string]any `json:"items"`
				Counts     map[string]any   `json:"counts"`
				NextCursor string           `json:"next_cursor"`
			}
			call(ctx, t, http.MethodGet, url+"/v1/users/"+user+"/inbox?limit=100&counts=true&state="+state+"&wait_for="+head+"&cursor="+cursor, nil, &page)
			for _, item := range page.Items {
				delete(item, "id")
				delete(item, "position")
				delete(item, "published_at")
				for _, mark := range []string{"seen_at", "read_at", "archived_at"} {
					if _, is := item[mark]; is {
						item[mark] = true
					}
				}
				all = append(all, item)
			}
			all = append(all, page.Counts)
			if cursor = page.NextCursor; cursor == "" {
				break
			}
		}
	}
	return all
}
