package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bubble runs a test in a world of its own with its own time, and a hub that has
// begun.
func bubble(t *testing.T, l Limits, test func(*testing.T, *world, *Hub)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := w.hub(l)
		run(t, h)
		synctest.Wait()
		test(t, w, h)
	})
}

// follow follows and leaves with the test.
func follow(t *testing.T, h *Hub, req FollowRequest) *Follower {
	t.Helper()
	f, err := h.Follow(t.Context(), req)
	if err != nil {
		t.Fatalf("follow %+v: %v", req, err)
	}
	t.Cleanup(f.Close)
	return f
}

// short leaves out of frames what most tests do not look at.
func short(list []string) (out []string) {
	for _, text := range list {
		position, rest, _ := strings.Cut(text, " ")
		event, data, _ := strings.Cut(rest, " ")
		if _, title, ok := strings.Cut(data, `"title":"`); ok {
			data, _, _ = strings.Cut(title, `"`)
		}
		out = append(out, position+" "+event+" "+data)
	}
	return out
}

func equal[T any](t *testing.T, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestWhatALiveReaderIsTold(t *testing.T) {
	t.Parallel()
	read := events.ItemsRead{Items: events.Items{User: "ann", Through: 3}}
	cases := map[string]struct {
		before, after []events.Event
		want          []string
	}{
		"a publish to a topic the user follows": {
			before: []events.Event{subscribed("ann", "a", 0)},
			after:  []events.Event{published(1, 0, "topic:a")}, want: []string{"2 message n1"},
		},
		"a publish to the user, who follows nothing": {
			after: []events.Event{published(1, 0, "user:ann")}, want: []string{"1 message n1"},
		},
		"a publish that reaches the user three ways, once": {
			before: []events.Event{subscribed("ann", "a", 0), subscribed("ann", "b", 0)},
			after:  []events.Event{published(1, 0, "topic:a", "user:ann", "topic:b")}, want: []string{"3 message n1"},
		},
		"nothing for others": {
			before: []events.Event{subscribed("bob", "a", 0)},
			after: []events.Event{
				published(1, 0, "topic:a", "user:bob"), retracted(1, 2, 0, "topic:a", "user:bob"),
				events.ItemsSeen{Items: events.Items{User: "bob", Through: 2}},
			},
		},
		"only what the rules of that moment let through": {
			before: []events.Event{subscribed("ann", "a", events.SeverityHigh)},
			after: []events.Event{
				published(1, events.SeverityNormal, "topic:a"), published(2, events.SeverityHigh, "topic:a"),
				events.SubscriptionChanged{User: "ann", Topic: "a"}, published(3, events.SeverityLow, "topic:a"),
			},
			want: []string{"3 message n2", "5 message n3"},
		},
		"a topic from the moment the user follows it, and no longer": {
			after: []events.Event{
				published(1, 0, "topic:a"), subscribed("ann", "a", 0), published(2, 0, "topic:a"),
				unsubscribed("ann", "a"), published(3, 0, "topic:a"), subscribed("ann", "a", 0), published(4, 0, "topic:a"),
			},
			want: []string{"3 message n2", "7 message n4"},
		},
		"only what the filter of that moment lets through": {
			before: []events.Event{filtered("ann", "a", "severity == 'high'")},
			after: []events.Event{
				published(1, events.SeverityCritical, "topic:a"), published(2, events.SeverityHigh, "topic:a"),
				events.SubscriptionChanged{User: "ann", Topic: "a", Rules: events.Rules{Filter: "title.endsWith('1')"}},
				published(3, events.SeverityHigh, "topic:a"), published(21, events.SeverityHigh, "topic:a"),
			},
			want: []string{"3 message n2", "6 message n21"},
		},
		"what a filter keeps out may come another way": {
			before: []events.Event{filtered("ann", "a", "false"), subscribed("ann", "b", 0)},
			after: []events.Event{
				published(1, 0, "topic:a", "user:ann"), published(2, 0, "topic:a", "topic:b"), published(3, 0, "topic:a"),
			},
			want: []string{"3 message n1", "4 message n2"},
		},
		"nothing by a muted topic, from the moment it is muted until it no longer is": {
			before: []events.Event{subscribed("ann", "a", 0)},
			after: []events.Event{
				published(1, 0, "topic:a"), muted("ann", "a"), published(2, 0, "topic:a"), published(3, 0, "topic:a", "user:ann"),
				muted("ann"), published(4, 0, "topic:a"),
			},
			want: []string{"2 message n1", "5 message n3", "7 message n4"},
		},
		"nothing by a topic subscribed to, or changed, while it is muted": {
			before: []events.Event{muted("ann", "a", "b")},
			after: []events.Event{
				subscribed("ann", "a", 0), published(1, 0, "topic:a"), events.SubscriptionChanged{User: "ann", Topic: "a"},
				published(2, 0, "topic:a"), muted("ann", "b"), published(3, 0, "topic:a"),
			},
			want: []string{"7 message n3"},
		},
		"what others mute is theirs": {
			before: []events.Event{subscribed("ann", "a", 0), muted("bob", "a")},
			after:  []events.Event{muted("carl", "a"), published(1, 0, "topic:a")}, want: []string{"4 message n1"},
		},
		"no retraction of what a muted topic brought": {
			before: []events.Event{
				subscribed("ann", "a", 0), published(1, 0, "topic:a"), muted("ann", "a"), published(2, 0, "topic:a"),
			},
			after: []events.Event{retracted(2, 4, 0, "topic:a"), retracted(1, 2, 0, "topic:a")},
			want:  []string{`6 retracted {"id":"00000000-0000-0000-0000-000000000001"}`},
		},
		"what the user's other devices did": {
			after: []events.Event{read}, want: []string{`1 state {"change":"read","through":"3"}`},
		},
		"a retraction, also of what was had before the user left": {
			before: []events.Event{
				subscribed("ann", "a", 0), published(1, 0, "topic:a"), unsubscribed("ann", "a"), published(2, 0, "topic:a"),
			},
			after: []events.Event{retracted(1, 2, 0, "topic:a"), retracted(2, 4, 0, "topic:a")},
			want:  []string{`5 retracted {"id":"00000000-0000-0000-0000-000000000001"}`},
		},
		"a retraction of what the user was named in": {
			before: []events.Event{published(1, 0, "user:ann")}, after: []events.Event{retracted(1, 1, 0, "user:ann")},
			want: []string{`2 retracted {"id":"00000000-0000-0000-0000-000000000001"}`},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, Limits{}, func(t *testing.T, w *world, h *Hub) {
				w.all(c.before...)
				synctest.Wait()
				f := follow(t, h, FollowRequest{User: "ann"})
				equal(t, f.Position, events.Position(len(c.before)))
				for _, e := range c.after {
					w.append(e, 0)
				}
				equal(t, short(next(t, f)), c.want)
			})
		})
	}
}

func TestWhereAReaderBegins(t *testing.T) {
	t.Parallel()
	log := []events.Event{ // positions 1 to 5; the read model has seen four
		published(1, 0, "user:ann"), published(2, 0, "user:ann"),
		events.ItemsSeen{Items: events.Items{User: "ann", Through: 1}},
		published(4, 0, "user:ann"), published(5, 0, "user:ann"),
	}
	const seen = `3 state {"change":"seen","through":"1"}`
	cases := map[string]struct {
		req      FollowRequest
		position events.Position
		reset    string
		want     []string
	}{
		"without an id: live":                  {position: 5, want: []string{"6 message later"}},
		"earliest: everything":                 {req: FollowRequest{LastEventID: "earliest"}, want: []string{"1 message n1", "2 message n2", seen, "4 message n4", "5 message n5", "6 message later"}},
		"0: everything":                        {req: FollowRequest{LastEventID: "0"}, want: []string{"1 message n1", "2 message n2", seen, "4 message n4", "5 message n5", "6 message later"}},
		"an id: what is above it":              {req: FollowRequest{LastEventID: "2"}, position: 2, want: []string{seen, "4 message n4", "5 message n5", "6 message later"}},
		"the read model's checkpoint":          {req: FollowRequest{LastEventID: "4"}, position: 4, want: []string{"5 message n5", "6 message later"}},
		"an id above the checkpoint: the head": {req: FollowRequest{LastEventID: "5"}, position: 5, want: []string{"6 message later"}},
		"the newest two items":                 {req: FollowRequest{Newest: 2}, position: 1, want: []string{"2 message n2", "4 message n4", "5 message n5", "6 message later"}},
		"an id: the newest are not asked for":  {req: FollowRequest{LastEventID: "4", Newest: 2}, position: 4, want: []string{"5 message n5", "6 message later"}},
		"an id above the head: live, and told": {req: FollowRequest{LastEventID: "6"}, position: 5, reset: ResetAboveHead, want: []string{"6 message later"}},
		"no position: live, and told":          {req: FollowRequest{LastEventID: "abc", Newest: 3}, position: 5, reset: ResetNoPosition, want: []string{"6 message later"}},
		"a position with a sign: the same":     {req: FollowRequest{LastEventID: "+4"}, position: 5, reset: ResetNoPosition, want: []string{"6 message later"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, Limits{page: 2}, func(t *testing.T, w *world, h *Hub) {
				w.all(log...)
				w.project(4)
				synctest.Wait()
				c.req.User = "ann"
				f := follow(t, h, c.req)
				equal(t, f.Position, c.position)
				equal(t, f.Reset, c.reset)
				p, _ := published(6, 0, "user:ann").(events.Published)
				p.Content.Title = "later"
				w.append(p, 0)
				equal(t, short(next(t, f)), c.want)
			})
		})
	}
}

func TestAHubBehindTheCheckpoint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		g := &gate{world: w}
		h := &Hub{Source: g, History: w.history, Start: w.start}
		run(t, h)
		synctest.Wait()
		w.all(subscribed("ann", "a", 0), published(2, 0, "topic:a"), unsubscribed("ann", "a"), subscribed("ann", "b", 0))
		live := follow(t, h, FollowRequest{User: "ann"})
		equal(t, live.Position, 4) // the checkpoint is the cursor
		resumed := follow(t, h, FollowRequest{User: "ann", LastEventID: "1"})
		w.project(2) // a second tab with an older snapshot, as after a crash of Postgres
		older := follow(t, h, FollowRequest{User: "ann", LastEventID: "2"})
		w.append(published(5, 0, "topic:a"), 0)
		w.append(published(6, 0, "topic:b"), 0)
		w.set(func() { g.open = true })
		equal(t, short(next(t, live)), []string{"6 message n6"})
		equal(t, short(next(t, resumed)), []string{"2 message n2", "6 message n6"})
		equal(t, short(next(t, older)), []string{"6 message n6"})
		equal(t, h.check(w), "")
	})
}

func TestWhatIsGoneMeanwhileIsNotTold(t *testing.T) {
	t.Parallel()
	bubble(t, Limits{}, func(t *testing.T, w *world, h *Hub) {
		expires := time.Now().Add(time.Hour)
		expiring, _ := published(5, 0, "user:ann").(events.Published)
		expiring.ExpiresAt = &expires
		w.all(
			published(1, 0, "user:ann"), published(2, 0, "user:ann"), published(3, 0, "user:ann"), published(4, 0, "user:ann"),
			expiring, published(6, 0, "user:ann"), retracted(2, 2, 0, "user:ann"), // 7
			events.ItemsDeleted{Items: events.Items{User: "ann", IDs: []uuid.UUID{number(6)}}},
			events.ItemsDeleted{Items: events.Items{User: "ann", Through: 1}},
		)
		w.project(5) // so that history has the items, and the window that they are gone
		synctest.Wait()
		f := follow(t, h, FollowRequest{User: "ann", LastEventID: Earliest})
		time.Sleep(time.Hour)
		got := next(t, f)
		for i := range got {
			got[i], _, _ = strings.Cut(got[i], " {")
		}
		equal(t, got, []string{"3 message", "4 message", "7 retracted", "8 state", "9 state"})
	})
}

func TestASlowReaderNeverBlocksTheHub(t *testing.T) {
	t.Parallel()
	cases := map[string]Limits{
		"by frames": {QueueFrames: 3},
		"by bytes":  {QueueBytes: 3*frameOverhead + 3*150},
	}
	for name, limits := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, limits, func(t *testing.T, w *world, h *Hub) {
				reg := prometheus.NewRegistry()
				h.Metrics = NewMetrics(reg)
				slow := follow(t, h, FollowRequest{User: "ann"})
				var want []string
				for i := range 20 {
					w.append(published(i+1, 0, "user:ann"), 0)
					want = append(want, fmt.Sprintf("%d message n%d", i+1, i+1))
				}
				synctest.Wait()
				equal(t, h.Position(), 20)
				equal(t, len(slow.reader.queue), 0) // let go of
				equal(t, len(h.members), 0)
				equal(t, metric(t, reg, "tidings_live_overflows_total"), 1)
				w.project(5)
				equal(t, short(next(t, slow)), want) // in the same connection
				equal(t, len(h.members), 1)
				w.append(published(21, 0, "user:ann"), 0)
				equal(t, short(next(t, slow)), []string{"21 message n21"})
			})
		})
	}
}

func TestAReaderThatDoesNotCatchUpIsClosed(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		trouble func(*world)
		pace    time.Duration // between its reads
		want    error
	}{
		"because history cannot be read":             {trouble: func(w *world) { w.down = errors.New("postgres is away") }, want: ErrUnavailable},
		"because the projector and the log are away": {trouble: func(w *world) { w.headless = errors.New("away") }, want: ErrUnavailable},
		"because it is slow":                         {trouble: func(*world) {}, pace: 4 * time.Second, want: ErrTooSlow},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, Limits{QueueFrames: 1, WindowEvents: 2, MaxLag: 20 * time.Second}, func(t *testing.T, w *world, h *Hub) {
				h.Source.(*gate).failing = func() error { return w.headless }
				f := follow(t, h, FollowRequest{User: "ann"})
				other := follow(t, h, FollowRequest{User: "bob"})
				for i := range 9 {
					w.append(published(i+1, 0, "user:ann"), 0)
				}
				synctest.Wait()
				w.set(func() { c.trouble(w) })
				begun := time.Now()
				var err error
				for err == nil && time.Since(begun) < time.Minute {
					_, err = f.Next(t.Context(), time.Second)
					time.Sleep(c.pace)
				}
				if !errors.Is(err, c.want) {
					t.Errorf("got %v, want %v", err, c.want)
				}
				if took := time.Since(begun); took < 19*time.Second || took > 30*time.Second {
					t.Errorf("it took %s", took)
				}
				if _, err := h.Follow(t.Context(), FollowRequest{User: "carl"}); (err == nil) != (w.down == nil) {
					t.Errorf("a new reader gets %v", err)
				}
				w.append(published(10, 0, "user:bob"), 0)
				equal(t, short(next(t, other)), []string{"10 message n10"}) // who is attached flows on
			})
		})
	}
}

func TestAFollowerBelowTheWindow(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		after         time.Duration // when the projector comes near
		subscriptions int           // the hub's and the follower's
	}{
		"waits for the projector":                {after: time.Second, subscriptions: 1},
		"reads the log when that takes too long": {after: time.Hour, subscriptions: 2},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, Limits{WindowEvents: 2, page: 3}, func(t *testing.T, w *world, h *Hub) {
				w.append(subscribed("ann", "a", 0), 0)
				want := []string(nil)
				for i := 2; i <= 10; i++ {
					w.append(published(i, 0, "topic:a"), 0)
					want = append(want, fmt.Sprintf("%d message n%d", i, i))
				}
				synctest.Wait()
				f := follow(t, h, FollowRequest{User: "ann", LastEventID: Earliest})
				time.AfterFunc(c.after, func() { w.project(9) })
				equal(t, short(next(t, f)), want)
				equal(t, h.Source.(*gate).begun, c.subscriptions)
			})
		})
	}
}

func TestHistoryThatHangs(t *testing.T) {
	t.Parallel()
	bubble(t, Limits{Questions: 1}, func(t *testing.T, _ *world, h *Hub) {
		h.History = func(ctx context.Context, _ inbox.Ask) (inbox.Snapshot, error) {
			<-ctx.Done()
			return inbox.Snapshot{}, ctx.Err()
		}
		begun := time.Now()
		errs := make(chan error)
		for range 2 { // the second waits for its turn, as long
			go func() {
				_, err := h.Follow(t.Context(), FollowRequest{User: "ann"})
				errs <- err
			}()
		}
		for range 2 {
			if err := <-errs; !errors.Is(err, ErrUnavailable) {
				t.Errorf("follow: %v", err)
			}
		}
		equal(t, time.Since(begun), 5*time.Second)
	})
}

func TestTheWindowIsBounded(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		window  window
		begins  events.Position
		largest int // how many events the array below it ever holds
	}{
		"by events": {window: window{maxEvents: 300, maxBytes: 1 << 30}, begins: 700, largest: 500},
		"by bytes":  {window: window{maxEvents: 1 << 30, maxBytes: 3000}, begins: 700, largest: 500},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var early []*logged // in the hands of a follower that folds it outside the lock
			for i := range 1000 {
				if i == 300 {
					early, _ = c.window.after(100)
				}
				c.window.add(&logged{position: events.Position(i + 1), size: 10})
				if n := len(c.window.kept); n > c.largest {
					t.Fatalf("%d events are held", n)
				}
			}
			for i, e := range early {
				if e.position != events.Position(101+i) {
					t.Fatalf("what was handed out has changed: %d is at %d", e.position, i)
				}
			}
			equal(t, c.window.begins, c.begins)
			if _, ok := c.window.after(c.begins - 1); ok {
				t.Error("it answers for what it has dropped")
			}
			rest, ok := c.window.after(c.begins)
			equal(t, ok, true)
			equal(t, len(rest), 300)
			equal(t, rest[0].position, c.begins+1)
			rest, _ = c.window.after(999)
			equal(t, len(rest), 1)
			rest, _ = c.window.after(5000)
			equal(t, len(rest), 0)
		})
	}
}

func TestAnUnreadableEventHaltsVisibly(t *testing.T) {
	t.Parallel()
	bubble(t, Limits{}, func(t *testing.T, w *world, h *Hub) {
		reg := prometheus.NewRegistry()
		h.Metrics = NewMetrics(reg)
		f := follow(t, h, FollowRequest{User: "ann"})
		equal(t, h.Ready(), nil)
		w.append(published(1, 0, "user:ann"), 0)
		w.unreadable()
		synctest.Wait()
		got := next(t, f)
		equal(t, short(got[:1]), []string{"1 message n1"})
		if len(got) != 2 || !strings.Contains(got[1], "FromTheFuture at position 2") {
			t.Errorf("the stream ended with %q", got)
		}
		if err := h.Ready(); !errors.Is(err, events.ErrUnknownForm) {
			t.Errorf("ready: %v", err)
		}
		if _, err := h.Follow(t.Context(), FollowRequest{User: "ann"}); !errors.Is(err, ErrUnavailable) {
			t.Errorf("follow: %v", err)
		}
		equal(t, metric(t, reg, "tidings_live_halted"), 1)
	})
}

func TestWhereTheHubBegins(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		set  func(*world)
		wait time.Duration
		want events.Position // 0: not yet
	}{
		"at the checkpoint": {set: func(w *world) { w.checkpoint = 2 }, want: 2},
		"at the head, when the checkpoint lies above it":      {set: func(w *world) { w.checkpoint = 9 }, want: 3},
		"not before Postgres had its time":                    {set: func(w *world) { w.down = errors.New("away") }, wait: 5 * time.Second},
		"at the head, when Postgres stays away":               {set: func(w *world) { w.down = errors.New("away") }, wait: 15 * time.Second, want: 3},
		"not without a checkpoint and without knowing a head": {set: func(w *world) { w.down = errors.New("away"); w.headless = w.down }, wait: time.Hour},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				for i := range 3 {
					w.append(published(i, 0, "user:ann"), 0)
				}
				c.set(w)
				h := &Hub{Source: &gate{world: w}, History: w.history, Start: w.start}
				run(t, h)
				time.Sleep(c.wait)
				synctest.Wait()
				if err := h.Ready(); (err == nil) != (c.want != 0) {
					t.Errorf("ready: %v", err)
				}
				equal(t, h.Position(), c.want)
				if _, err := h.Follow(t.Context(), FollowRequest{User: "ann"}); c.want == 0 && !errors.Is(err, ErrUnavailable) {
					t.Errorf("follow: %v", err)
				}
			})
		})
	}
}

// A store that begins again where it was, and tells what many do: 2^64-1 for
// "nothing yet".
type stutter struct{ *world }

func (s stutter) Subscribe(ctx context.Context, _ events.Position) iter.Seq2[events.Message, error] {
	return func(yield func(events.Message, error) bool) {
		if !yield(events.Message{Checkpoint: 1<<64 - 1}, nil) || !yield(events.Message{CaughtUp: true}, nil) {
			return
		}
		for msg, err := range s.world.Subscribe(ctx, 0) {
			for range 2 {
				if !yield(msg, err) {
					return
				}
			}
		}
	}
}

func TestAStoreThatRepeatsItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := &Hub{Source: stutter{w}, History: w.history, Start: w.start}
		run(t, h)
		synctest.Wait()
		equal(t, h.Position(), 0)
		f := follow(t, h, FollowRequest{User: "ann"})
		w.append(subscribed("ann", "a", 0), 0)
		w.append(published(1, 0, "topic:a"), 0)
		equal(t, short(next(t, f)), []string{"2 message n1"})
		equal(t, len(h.window.kept), 2)
		equal(t, h.check(w), "")
	})
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	bubble(t, Limits{Readers: 1}, func(t *testing.T, w *world, h *Hub) {
		w.set(func() { w.headless = errors.New("the store is away") })
		if _, err := h.Follow(t.Context(), FollowRequest{User: "ann", LastEventID: "7"}); !errors.Is(err, ErrUnavailable) {
			t.Errorf("an id that cannot be judged: %v", err)
		}
		first := follow(t, h, FollowRequest{User: "ann"})
		if _, err := h.Follow(t.Context(), FollowRequest{User: "ann"}); !errors.Is(err, ErrUnavailable) {
			t.Errorf("one reader too many: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := first.Next(ctx, time.Hour); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller that went away: %v", err)
		}
	})
}

func TestTheHubEndsAndRunsAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		h := w.hub(Limits{})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- h.Run(ctx) }()
		synctest.Wait()
		f := follow(t, h, FollowRequest{User: "ann"})
		w.append(published(1, 0, "user:ann"), 0)
		synctest.Wait()
		cancel()
		equal(t, <-ended, nil)
		got := next(t, f)
		equal(t, append(short(got[:1]), got[1:]...), []string{"1 message n1", "the hub has stopped"})
		run(t, h)
		synctest.Wait()
		again := follow(t, h, FollowRequest{User: "ann", LastEventID: "0"})
		equal(t, short(next(t, again)), []string{"1 message n1"})
	})
}

func TestFramesAreSharedByAllWhoAreToldTheSame(t *testing.T) {
	t.Parallel()
	bubble(t, Limits{}, func(t *testing.T, w *world, h *Hub) {
		w.all(subscribed("ann", "a", 0), subscribed("bob", "a", 0), subscribed("carl", "a", 0))
		synctest.Wait()
		var frames []*Frame
		var followers []*Follower
		for _, user := range []events.User{"ann", "bob", "carl"} {
			followers = append(followers, follow(t, h, FollowRequest{User: user}))
		}
		w.append(published(1, 0, "topic:a", "user:carl"), 0)
		for _, f := range followers {
			list, err := f.Next(t.Context(), time.Second)
			if err != nil || len(list) != 1 {
				t.Fatalf("%d frames, %v", len(list), err)
			}
			frames = append(frames, list[0])
		}
		if frames[0] != frames[1] || frames[0] == frames[2] {
			t.Errorf("frames %p %p %p", frames[0], frames[1], frames[2])
		}
		var item inbox.Item
		mustDecode(t, frames[0].Data, &item)
		equal(t, item.To, []events.Target{{Topic: "a"}})
		mustDecode(t, frames[2].Data, &item)
		equal(t, item.To, []events.Target{{Topic: "a"}, {User: "carl"}})
	})
}

func TestMetricsBeginAtZero(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	NewMetrics(reg)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += "{" + l.GetName() + "=" + l.GetValue() + "}"
			}
			value := m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
			got = append(got, fmt.Sprintf("%s %g", name, value))
		}
	}
	slices.Sort(got)
	equal(t, got, []string{
		"tidings_live_append_to_stream_seconds 0", "tidings_live_connections 0",
		"tidings_live_deliveries_total{event=message} 0", "tidings_live_deliveries_total{event=retracted} 0",
		"tidings_live_deliveries_total{event=state} 0",
		"tidings_live_dropped_total{reason=access} 0", "tidings_live_dropped_total{reason=age} 0",
		"tidings_live_dropped_total{reason=drained} 0", "tidings_live_dropped_total{reason=gone} 0",
		"tidings_live_dropped_total{reason=too_slow} 0", "tidings_live_dropped_total{reason=unavailable} 0",
		"tidings_live_halted 0", "tidings_live_overflows_total 0",
		"tidings_live_position 0", "tidings_live_waiting_frames 0",
	})
}

func mustDecode(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

func metric(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}
