package esdb_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/esdb"
)

const (
	// slack is what a busy machine may add to a deadline.
	slack = 1500 * time.Millisecond
	// longest is how long a test waits for what must come.
	longest = 90 * time.Second
)

// TestTheStoreGoesAway lets it vanish in several ways and come back while events
// are appended, read and followed.
func TestTheStoreGoesAway(t *testing.T) {
	t.Parallel()
	for name, outage := range map[string]struct{ begin, end func(*server, *proxy) }{
		"the server stops": {
			func(s *server, _ *proxy) { s.stop() },
			func(s *server, _ *proxy) { s.start() },
		},
		"connections break and are refused": {
			func(_ *server, p *proxy) { p.set(refuse); p.cut() },
			func(_ *server, p *proxy) { p.set(pass) },
		},
		"connections stand and are silent": {
			func(_ *server, p *proxy) { p.set(deaf) },
			func(_ *server, p *proxy) { p.strand(); p.set(pass) },
		},
		"answers are swallowed": {
			func(_ *server, p *proxy) { p.set(swallow) },
			func(_ *server, p *proxy) { p.strand(); p.set(pass) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := startServer(t)
			proxy := startProxy(t, server.address)
			ctx, cancel := context.WithTimeout(t.Context(), longest)
			defer cancel()
			store := open(t, proxy.url(), esdb.Options{AppendTimeout: 3 * time.Second, ReadTimeout: 3 * time.Second})
			work := &work{t: t, store: store, limit: 3*time.Second + slack}
			work.start(ctx)

			work.until(ctx, "events before the outage", func() bool { return work.written.Load() >= 100 })
			outage.begin(server, proxy)
			work.until(ctx, "calls that fail", func() bool { return work.failures.Load() >= 60 })
			if work.quick.Load() == 0 {
				t.Error("no call failed at once while the store was known to be away")
			}
			outage.end(server, proxy)
			before := work.written.Load()
			work.until(ctx, "events after the outage", func() bool { return work.written.Load() >= before+100 })
			work.finish(ctx)
		})
	}
}

// work is a number of writers, readers and a follower of one store.
type work struct {
	t     *testing.T
	store *esdb.Store
	limit time.Duration // no call may take longer

	written, failures, quick atomic.Int64
	stop                     context.CancelFunc // ends writing
	writing, following       sync.WaitGroup

	mu       sync.Mutex
	moved    *sync.Cond
	followed []events.Stored
}

const writers = 4

func (w *work) stream(writer int) events.StreamName {
	return events.StreamName(fmt.Sprintf("work-%d", writer))
}

func (w *work) start(ctx context.Context) {
	w.moved = sync.NewCond(&w.mu)
	ctx, end := context.WithCancel(ctx)
	writing, stop := context.WithCancel(ctx)
	w.stop = stop
	for writer := range writers {
		w.writing.Go(func() { w.write(ctx, writing, writer) })
	}
	w.writing.Go(func() { w.read(writing) })
	w.following.Go(func() { w.follow(ctx) })
	w.t.Cleanup(func() {
		end()
		w.writing.Wait()
		w.following.Wait()
	})
}

// write appends event after event to one stream; a call that failed is made
// again with the same event, so that each must be there once in the end: the
// last one too, for which the whole test's time is left.
func (w *work) write(whole, ctx context.Context, writer int) {
	expected := events.NoStream()
	for n := 0; ctx.Err() == nil; n++ {
		event := events.Proposed{ID: uuid.New(), Type: "Worked", Data: fmt.Appendf(nil, `{"n":%d}`, n)}
		for {
			var got events.Appended
			err := w.timed("append", func() (err error) {
				got, err = w.store.Append(context.WithoutCancel(ctx), w.stream(writer), expected, event)
				return err
			})
			if err == nil {
				if got.Revision != events.Revision(n) {
					w.t.Errorf("%s: event %d got revision %d", w.stream(writer), n, got.Revision)
				}
				break
			}
			if whole.Err() != nil {
				w.t.Errorf("append at the end: %v", err)
				return
			}
		}
		expected = events.Exactly(events.Revision(n))
		w.written.Add(1)
		w.notify()
		w.pause(ctx, time.Millisecond)
	}
}

func (w *work) read(ctx context.Context) {
	for ctx.Err() == nil {
		_ = w.timed("head", func() error {
			_, err := w.store.Head(context.WithoutCancel(ctx))
			return err
		})
		for _, f := range []events.Filter{{Stream: w.stream(0)}, {Category: "work"}} {
			began, next := time.Now(), events.Revision(0)
			for e, err := range w.store.ReadAll(context.WithoutCancel(ctx), 0, f) {
				if d := time.Since(began); d > w.limit {
					w.t.Errorf("an event of a read took %s", d)
				}
				if err == nil && f.Stream != "" && e.Revision != next {
					w.t.Errorf("read revision %d of %s, want %d", e.Revision, e.Stream, next)
				}
				began, next = time.Now(), e.Revision+1
			}
		}
		w.pause(ctx, 10*time.Millisecond)
	}
}

func (w *work) follow(ctx context.Context) {
	for m, err := range w.store.Subscribe(ctx, 0) {
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				w.t.Errorf("the subscription ended: %v", err)
			}
			return
		}
		if m.Event != nil {
			w.mu.Lock()
			w.followed = append(w.followed, *m.Event)
			w.mu.Unlock()
			w.notify()
		}
	}
}

// timed makes a call and judges how long it took and how it failed.
func (w *work) timed(what string, call func() error) error {
	began := time.Now()
	err := call()
	took := time.Since(began)
	if took > w.limit {
		w.t.Errorf("%s took %s (%v)", what, took, err)
	}
	if err == nil {
		return nil
	}
	if !errors.Is(err, events.ErrStoreUnavailable) && !errors.Is(err, events.ErrOutcomeUnknown) {
		w.t.Errorf("%s: %v", what, err)
	}
	if took < 100*time.Millisecond {
		w.quick.Add(1)
	}
	w.failures.Add(1)
	w.notify()
	w.pause(context.Background(), 50*time.Millisecond)
	return err
}

// pause spreads the calls over the outage.
func (w *work) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (w *work) notify() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.moved.Broadcast()
}

func (w *work) until(ctx context.Context, what string, enough func() bool) {
	w.t.Helper()
	defer context.AfterFunc(ctx, w.notify)()
	w.mu.Lock()
	defer w.mu.Unlock()
	for !enough() {
		if ctx.Err() != nil {
			w.t.Fatalf("waited in vain for %s: %d written, %d failures", what, w.written.Load(), w.failures.Load())
		}
		w.moved.Wait()
	}
}

func (w *work) log(ctx context.Context) (log []events.Stored, err error) {
	err = w.timed("read the log", func() error {
		for e, err := range w.store.ReadAll(ctx, 0, events.Filter{}) {
			if err != nil {
				return err
			}
			log = append(log, e)
		}
		return nil
	})
	return log, err
}

// finish stops the writers, waits for the follower, and compares what it saw,
// what the log holds and what was acknowledged.
func (w *work) finish(ctx context.Context) {
	w.t.Helper()
	w.stop()
	w.writing.Wait()
	log, err := w.log(ctx)
	for err != nil && ctx.Err() == nil { // the last cut may be felt until here
		log, err = w.log(ctx)
	}
	if err != nil {
		w.t.Fatalf("read the log: %v", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second) // less than a transport takes to find its peer gone
	defer cancel()
	w.until(ctx, "the follower", func() bool { return len(w.followed) >= len(log) })
	w.mu.Lock()
	defer w.mu.Unlock()
	next := map[events.StreamName]events.Revision{}
	for n, e := range w.followed[:len(log)] {
		if e.ID != log[n].ID || e.Position != log[n].Position {
			w.t.Fatalf("event %d followed is at %s, in the log at %s", n, e.Position, log[n].Position)
		}
		if want := fmt.Sprintf(`{"n":%d}`, e.Revision); string(e.Data) != want || e.Revision != next[e.Stream] {
			w.t.Fatalf("%s has %s at revision %d, want revision %d", e.Stream, e.Data, e.Revision, next[e.Stream])
		}
		next[e.Stream]++
	}
	if len(log) != int(w.written.Load()) {
		w.t.Errorf("%d events in the log, %d were acknowledged", len(log), w.written.Load())
	}
}

// TestAnAppendBreaks breaks the connection after the server has the request, or
// before, and looks at what the caller is told.
func TestAnAppendBreaks(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		during, after mode
		arrives       bool // whether the server has the request when the connection breaks
		want          error
	}{
		"the answer is lost, the store is back":   {swallow, pass, true, nil},
		"the request is lost, the store is back":  {deaf, pass, false, nil},
		"the answer is lost, the store is away":   {swallow, refuse, true, events.ErrOutcomeUnknown},
		"the request is lost, the store is away":  {deaf, refuse, false, events.ErrOutcomeUnknown},
		"the answer is lost, the store is silent": {swallow, deaf, true, events.ErrOutcomeUnknown},
	} {
		for expectation, expected := range map[string]events.Expected{
			"no stream": events.NoStream(), "any": events.Any(), "a revision": events.Exactly(0),
		} {
			t.Run(name+", expecting "+expectation, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithTimeout(t.Context(), longest)
				defer cancel()
				server := startServer(t)
				direct := open(t, server.url(), esdb.Options{})
				proxy := startProxy(t, server.address)
				store := open(t, proxy.url(), esdb.Options{AppendTimeout: 1500 * time.Millisecond})
				const stream = "broken-1"
				first := 0
				untilThere(ctx, t, direct)
				untilThere(ctx, t, store)
				if expected.Kind == events.ExpectExact {
					first = 1
					if _, err := direct.Append(ctx, stream, events.NoStream(), proposed(0)); err != nil {
						t.Fatal(err)
					}
				}
				evs := []events.Proposed{proposed(1), proposed(2)}

				proxy.set(test.during)
				type answer struct {
					appended events.Appended
					err      error
				}
				answered := make(chan answer, 1)
				began := time.Now()
				go func() {
					appended, err := store.Append(ctx, stream, expected, evs...)
					answered <- answer{appended, err}
				}()
				if test.arrives {
					for length(ctx, t, direct, stream) == first {
					}
				} else {
					for proxy.lost.Load() < requestBytes {
						runtime.Gosched()
					}
				}
				proxy.set(test.after)
				proxy.cut()
				got := <-answered
				if took := time.Since(began); took > 1500*time.Millisecond+slack {
					t.Errorf("the append took %s", took)
				}
				if !errors.Is(got.err, test.want) || test.want == nil && got.err != nil {
					t.Fatalf("error: got %v, want %v", got.err, test.want)
				}
				if errors.Is(got.err, events.ErrStoreUnavailable) {
					t.Errorf("%v claims that nothing was written", got.err)
				}
				if got.err != nil {
					proxy.set(pass)
					proxy.cut()
					var err error
					if got.appended, err = again(ctx, store, stream, expected, evs); err != nil {
						t.Fatalf("the same append again: %v", err)
					}
				}
				if want := events.Revision(first + 1); got.appended.Revision != want {
					t.Errorf("revision: got %d, want %d", got.appended.Revision, want)
				}
				if n := length(ctx, t, direct, stream); n != first+2 {
					t.Errorf("%d events in the stream, want %d", n, first+2)
				}
			})
		}
	}
}

// again is what a caller does after an unknown outcome, until the store is back.
func again(
	ctx context.Context, store *esdb.Store, stream events.StreamName, expected events.Expected, evs []events.Proposed,
) (events.Appended, error) {
	for {
		appended, err := store.Append(ctx, stream, expected, evs...)
		if ctx.Err() != nil || !errors.Is(err, events.ErrStoreUnavailable) && !errors.Is(err, events.ErrOutcomeUnknown) {
			return appended, err
		}
	}
}

// requestBytes is less than an append of proposed has, and more than whatever
// else a connection sends.
const requestBytes = 4000

func proposed(n int) events.Proposed {
	return events.Proposed{
		ID: uuid.NewSHA1(uuid.Nil, fmt.Append(nil, n)), Type: "Broken", Data: []byte(`"` + strings.Repeat("x", requestBytes) + `"`),
	}
}

func length(ctx context.Context, t *testing.T, store *esdb.Store, stream events.StreamName) int {
	t.Helper()
	n := 0
	for _, err := range store.Read(ctx, stream, 0) {
		if err != nil {
			t.Fatalf("read %s: %v", stream, err)
		}
		n++
	}
	return n
}

// TestRandomCuts breaks connections at random moments while events are appended.
func TestRandomCuts(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	server := startServer(t)
	proxy := startProxy(t, server.address)
	store := open(t, proxy.url(), esdb.Options{AppendTimeout: 3 * time.Second, ReadTimeout: 3 * time.Second})
	work := &work{t: t, store: store, limit: 3*time.Second + slack}
	work.start(ctx)
	for range 10 {
		next := work.written.Load() + 1 + random.Int64N(20)
		work.until(ctx, "the next cut", func() bool { return work.written.Load() >= next })
		if random.IntN(2) == 0 {
			proxy.set(swallow)
			work.pause(ctx, time.Duration(random.IntN(20))*time.Millisecond)
		}
		proxy.cut()
		proxy.set(pass)
	}
	work.finish(ctx)
}

// TestTheStoreIsNotThere asks a store that cannot be reached at all.
func TestTheStoreIsNotThere(t *testing.T) {
	t.Parallel()
	proxy := startProxy(t, "127.0.0.1:1")
	proxy.set(refuse)
	store := open(t, proxy.url(), esdb.Options{})
	calls := map[string]func(context.Context) error{
		"append": func(ctx context.Context) error {
			_, err := store.Append(ctx, "s-1", events.Any(), proposed(1))
			return err
		},
		"head": func(ctx context.Context) error { _, err := store.Head(ctx); return err },
		"read": func(ctx context.Context) error {
			for _, err := range store.Read(ctx, "s-1", 0) {
				return err
			}
			return nil
		},
		"read the log": func(ctx context.Context) error {
			for _, err := range store.ReadAll(ctx, 0, events.Filter{}) {
				return err
			}
			return nil
		},
	}
	for _, limit := range []time.Duration{time.Second + slack, slack} { // the second time it is known
		for name, call := range calls {
			began := time.Now()
			err := call(t.Context())
			if !errors.Is(err, events.ErrStoreUnavailable) {
				t.Errorf("%s: got %v, want %v", name, err, events.ErrStoreUnavailable)
			}
			if took := time.Since(began); took > limit {
				t.Errorf("%s took %s, want at most %s", name, took, limit)
			}
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for m, err := range store.Subscribe(ctx, 0) {
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("follow: got %+v, %v, want %v", m, err, context.DeadlineExceeded)
		}
	}
	store.Close()
	if err := calls["append"](t.Context()); !errors.Is(err, events.ErrStoreUnavailable) || !strings.Contains(err.Error(), "closed") {
		t.Errorf("append after Close: %v", err)
	}
}
