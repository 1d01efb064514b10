package soak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// rebuild is what TestRebuildUnderTraffic has going on.
type rebuild struct {
	readers   int
	topics    int // each with a few of the readers
	published int // before it begins
	rate      int // publishes a second while it goes on
}

// TestRebuildUnderTraffic has the inbox folded anew, switched over, switched back and the new version dropped, while
// publishers, readers of streams and readers of pages go on: none of them may notice.
func TestRebuildUnderTraffic(t *testing.T) { // not parallel: it starts a whole system
	if testing.Short() {
		t.Skip("starts a whole system")
	}
	if *long {
		rebuild{readers: 500, topics: 400, published: 50_000, rate: 500}.run(t)
		return
	}
	rebuild{readers: 60, topics: 40, published: 4000, rate: 100}.run(t)
}

func (r rebuild) run(t *testing.T) {
	binary(t, "tidings") // compiling is not part of what has a deadline
	ctx, cancel := context.WithTimeoutCause(t.Context(), 6*time.Minute, errors.New("the test took too long"))
	defer cancel()
	s := &system{data: t.TempDir(), storeListen: freeAddress(t)}
	s.startNode(t)
	s.startPostgres(t)
	s.projector, s.projectorURL = s.program(t, "projector", "--fanout-store-limit", "20")
	s.api, s.url = s.program(t, "api")
	untilReady(t, s.api, s.url)

	world := newWorld(s.url, r)
	world.subscribe(ctx, t)
	world.publishBatches(ctx, t, r.published)
	readers := follow(ctx, t, s.url, world.users)
	for _, reader := range readers { // what follows begins with everybody live
		reader.mustHave(ctx, t, world.of(reader.User))
	}
	working, stop := context.WithCancel(ctx)
	defer stop()
	var group errgroup.Group
	group.Go(func() error { return world.publishAt(working, r.rate) })
	for range 4 {
		group.Go(func() error { return world.ask(working) })
	}
	s.switches(ctx, t)
	between(ctx, 500*time.Millisecond, time.Second, rand.Int64N)
	stop()
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	t.Logf("%d notifications were published, %d questions answered", len(world.sent), world.answered)
	for _, reader := range readers {
		want := world.of(reader.User)
		reader.mustHave(ctx, t, want)
		if _, connections := reader.Count(); connections != 1 {
			t.Errorf("the stream of %s had %d connections, want the one that it began with", reader.User, connections)
		}
	}
	s.projector.stop(t)
	s.api.stop(t)
}

// switches orders a rebuild, then the old version back, then drops the new one.
func (s *system) switches(ctx context.Context, t *testing.T) {
	t.Helper()
	began := time.Now()
	var ordered struct {
		Version int `json:"version"`
	}
	call(ctx, t, http.MethodPost, s.url+"/v1/projections/inbox/rebuild", []byte(`{"reason":"to see whether anybody notices"}`), &ordered)
	if ordered.Version != 2 {
		t.Fatalf("got version %d ordered, want 2", ordered.Version)
	}
	s.untilServing(ctx, t, 2)
	t.Logf("version 2 served %s after it was ordered", time.Since(began).Round(time.Millisecond))
	var parity struct {
		Users          int `json:"users"`
		DifferingUsers int `json:"differing_users"`
	}
	call(ctx, t, http.MethodGet, s.url+"/v1/projections/inbox/versions/2/parity", nil, &parity)
	if parity.Users == 0 || parity.DifferingUsers != 0 {
		t.Errorf("got %d of %d users who differ in an unchanged version, want none of all", parity.DifferingUsers, parity.Users)
	}
	between(ctx, 500*time.Millisecond, time.Second, rand.Int64N)
	var done struct{}
	call(ctx, t, http.MethodPost, s.url+"/v1/projections/inbox/versions/1/activate", []byte(`{"reason":"back"}`), &done)
	s.untilServing(ctx, t, 1)
	call(ctx, t, http.MethodDelete, s.url+"/v1/projections/inbox/versions/2", nil, &done)
	eventually(ctx, t, readyDeadline, "version 2 is gone", func() error {
		if versions := s.versions(ctx, t); len(versions) != 1 {
			return fmt.Errorf("there are %+v", versions)
		}
		return nil
	})
}

type version struct {
	Version int    `json:"version"`
	State   string `json:"state"`
	Serving bool   `json:"serving"`
}

func (s *system) versions(ctx context.Context, t *testing.T) []version {
	t.Helper()
	var list struct {
		Items []version `json:"items"`
	}
	call(ctx, t, http.MethodGet, s.url+"/v1/projections", nil, &list)
	return list.Items
}

func (s *system) untilServing(ctx context.Context, t *testing.T, wanted int) {
	t.Helper()
	eventually(ctx, t, 2*readyDeadline, fmt.Sprintf("version %d serves", wanted), func() error {
		versions := s.versions(ctx, t)
		for _, v := range versions {
			if v.Version == wanted && v.Serving {
				return nil
			}
		}
		return fmt.Errorf("there are %+v", versions)
	})
}

// world is users who are subscribed to topics for good, so that who gets what is known.
type world struct {
	url    string
	users  []string
	names  []string            // of all topics
	topics map[string][]string // subscribers

	mu       sync.Mutex
	sent     []published
	to       map[string]string // the topic of a notification
	answered int
}

func newWorld(url string, r rebuild) *world {
	w := &world{url: url, topics: map[string][]string{}, to: map[string]string{}}
	for n := range r.topics {
		w.names = append(w.names, fmt.Sprintf("t%03d", n))
	}
	for n := range r.readers {
		user := fmt.Sprintf("r%03d", n)
		w.users = append(w.users, user)
		for i := range 3 {
			topic := w.names[(n*(i+1)+i)%len(w.names)]
			if !slices.Contains(w.topics[topic], user) {
				w.topics[topic] = append(w.topics[topic], user)
			}
		}
	}
	return w
}

func (w *world) subscribe(ctx context.Context, t *testing.T) {
	t.Helper()
	for topic, users := range w.topics {
		body, err := json.Marshal(map[string]any{"add": users})
		if err != nil {
			t.Fatal(err)
		}
		var answer struct{}
		call(ctx, t, http.MethodPost, w.url+"/v1/topics/"+topic+"/subscribers", body, &answer)
	}
}

func (w *world) publishBatches(ctx context.Context, t *testing.T, count int) {
	t.Helper()
	for done := 0; done < count; done += 1000 {
		entries := make([]map[string]any, 1000)
		topics := make([]string, len(entries))
		for i := range entries {
			topics[i] = w.names[rand.IntN(len(w.names))]
			entries[i] = map[string]any{"to": []string{"topic:" + topics[i]}, "title": "before", "severity": "high"}
		}
		body, err := json.Marshal(map[string]any{"notifications": entries})
		if err != nil {
			t.Fatal(err)
		}
		var answer struct {
			Results []published `json:"results"`
		}
		call(ctx, t, http.MethodPost, w.url+"/v1/notifications/batch", body, &answer)
		for i, one := range answer.Results {
			w.took(one, topics[i])
		}
	}
}

func (w *world) took(one published, topic string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = append(w.sent, one)
	w.to[one.ID] = topic
}

// publishAt publishes so many a second, by several publishers, until ctx ends.
func (w *world) publishAt(ctx context.Context, rate int) error {
	const publishers = 16
	group, ctx := errgroup.WithContext(ctx)
	for range publishers {
		group.Go(func() error {
			tick := time.NewTicker(time.Second * publishers / time.Duration(rate))
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return nil
				case <-tick.C:
				}
				topic := w.names[rand.IntN(len(w.names))]
				// Not cut short: what was sent must be known.
				a, err := send(context.WithoutCancel(ctx), http.MethodPost, w.url+"/v1/notifications", `{"to":["topic:`+topic+`"],"title":"meanwhile"}`)
				if err != nil {
					return err
				}
				if a.status != http.StatusAccepted {
					return fmt.Errorf("a publish: got %d %s", a.status, a.text)
				}
				w.took(a.published, topic)
			}
		})
	}
	return group.Wait()
}

// ask asks for pages and counts until ctx ends: every question must be answered, as of a position that never goes back.
func (w *world) ask(ctx context.Context) error {
	var last uint64
	for n := 0; ctx.Err() == nil; n++ {
		user := w.users[rand.IntN(len(w.users))]
		path := []string{"/inbox?limit=10", "/inbox/counts?", "/subscriptions?", "/inbox?limit=5&counts=true"}[n%4]
		if n%3 == 0 {
			path += fmt.Sprintf("&wait_for=%d", last)
		}
		a, err := send(context.WithoutCancel(ctx), http.MethodGet, w.url+"/v1/users/"+user+path, "")
		if err != nil {
			return err
		}
		if a.status != http.StatusOK {
			return fmt.Errorf("%s of %s: got %d %s", path, user, a.status, a.text)
		}
		at := a.at()
		if at < last {
			return fmt.Errorf("%s of %s: answered as of %d after an answer as of %d", path, user, at, last)
		}
		last = at
		w.mu.Lock()
		w.answered++
		w.mu.Unlock()
	}
	return nil
}

// of is what a user must have got.
func (w *world) of(user string) (want []published) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range w.sent {
		if slices.Contains(w.topics[w.to[one.ID]], user) {
			want = append(want, one)
		}
	}
	return want
}
