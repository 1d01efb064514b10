package soak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/esdb"
)

// TestNodeKilled kills the event store under load, again and again, each time at a random moment, and holds it to what it acknowledged.
func TestNodeKilled(t *testing.T) { // not parallel: it starts a whole system
	if testing.Short() {
		t.Skip("starts a process and kills it many times")
	}
	kills, seed := 10, rand.Uint64()
	if *long {
		kills = 100
	}
	t.Logf("seed %d", seed)
	binary(t, "tidings") // compiling is not part of what has a deadline
	ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Minute, errors.New("the test took too long"))
	defer cancel()
	random := rand.New(rand.NewPCG(seed, 0))
	data, listen := filepath.Join(t.TempDir(), "store"), freeAddress(t)
	node := startNode(t, data, listen)
	store, err := esdb.Open("esdb://"+listen+"?tls=false", esdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)

	following, stopFollowing := context.WithCancel(ctx)
	defer stopFollowing()
	f := &follower{}
	var followed, writing sync.WaitGroup
	followed.Go(func() { f.follow(following, store) })

	writers := make([]*nodeWriter, 8)
	stop := make(chan struct{})
	answered := make(chan struct{})
	for i := range writers {
		writers[i] = &nodeWriter{
			stream: events.StreamName(fmt.Sprint("writer-", i)), insists: i%2 == 0, random: rand.New(rand.NewPCG(seed, uint64(i)+1)),
		}
		writing.Go(func() { writers[i].write(ctx, store, answered, stop) })
	}
	for range kills {
		for range 1 + random.IntN(400) {
			select {
			case <-answered:
			case <-ctx.Done():
				t.Fatal(context.Cause(ctx))
			}
		}
		node.kill()
		node = startNode(t, data, listen)
	}
	close(stop)
	done := make(chan struct{})
	go func() {
		defer close(done)
		writing.Wait()
	}()
	for open := true; open; {
		select {
		case <-answered:
		case <-done:
			open = false
		}
	}

	var log []events.Stored
	for e, err := range store.ReadAll(ctx, 0, events.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		log = append(log, e)
	}
	total := 0
	for _, w := range writers {
		w.audit(t, log)
		total += len(w.answered)
	}
	f.until(ctx, t, log[len(log)-1].Position)
	stopFollowing()
	followed.Wait()
	f.audit(t, log)
	node.stop(t)
	out := run(t, "tidings", "node", "verify", "--data", data)
	t.Logf("%d kills, %d appends acknowledged, %d events; %s", kills, total, len(log), out)
}

func startNode(t *testing.T, data, listen string) *program {
	t.Helper()
	node := start(t, "tidings", "node", "--data", data, "--listen", listen)
	node.says(t, "ready ")
	return node
}

// nodeWriter appends to a stream of its own. One that insists repeats what it does not know the outcome of; the other goes on with
// other events, after it has looked where its stream is.
type nodeWriter struct {
	stream  events.StreamName
	insists bool
	random  *rand.Rand

	answered []nodeAppend
	unknown  []nodeAppend
}

type nodeAppend struct {
	ids      []uuid.UUID
	position events.Position // of the last event; 0: unknown
}

func (w *nodeWriter) write(ctx context.Context, store *esdb.Store, answered chan<- struct{}, stop <-chan struct{}) {
	expected := events.NoStream()
	for {
		select {
		case <-stop:
			return
		case <-ctx.Done():
			return
		default:
		}
		proposed := make([]events.Proposed, 1+w.random.IntN(5))
		one := nodeAppend{}
		for i := range proposed {
			filler := strconv.Quote(strings.Repeat("x", w.random.IntN(3000)))
			proposed[i] = events.Proposed{ID: uuid.New(), Type: "Filler", Data: json.RawMessage(filler), Metadata: json.RawMessage(`{}`)}
			one.ids = append(one.ids, proposed[i].ID)
		}
		done, err := store.Append(ctx, w.stream, expected, proposed...)
		for err != nil && w.insists && ctx.Err() == nil {
			done, err = store.Append(ctx, w.stream, expected, proposed...)
		}
		if err != nil {
			w.unknown = append(w.unknown, one)
			expected = w.end(ctx, store)
			continue
		}
		one.position = done.Position
		w.answered = append(w.answered, one)
		expected = events.Exactly(done.Revision)
		answered <- struct{}{}
	}
}

// end is where the stream ends, asked until the store answers.
func (w *nodeWriter) end(ctx context.Context, store *esdb.Store) events.Expected {
	for ctx.Err() == nil {
		last, failed := events.NoStream(), false
		for e, err := range store.Read(ctx, w.stream, 0) {
			if err != nil {
				failed = true
				break
			}
			last = events.Exactly(e.Revision)
		}
		if !failed {
			return last
		}
	}
	return events.NoStream()
}

// audit: what was acknowledged is there, where it was said to be; what was not is there whole, or not at all; and nothing else.
func (w *nodeWriter) audit(t *testing.T, log []events.Stored) {
	t.Helper()
	at := map[uuid.UUID]events.Stored{}
	own := 0
	for _, e := range log {
		if e.Stream != w.stream {
			continue
		}
		if e.Revision != events.Revision(own) {
			t.Errorf("%s has revision %d where %d belongs", w.stream, e.Revision, own)
		}
		if _, twice := at[e.ID]; twice {
			t.Errorf("%s has event %s twice", w.stream, e.ID)
		}
		at[e.ID] = e
		own++
	}
	for _, a := range w.answered {
		last, found := at[a.ids[len(a.ids)-1]]
		if !found || last.Position != a.position {
			t.Errorf("%s: acknowledged at %s, found %t at %s", w.stream, a.position, found, last.Position)
		}
	}
	for _, a := range append(slices.Clone(w.answered), w.unknown...) {
		there := 0
		for _, id := range a.ids {
			if _, found := at[id]; found {
				there++
				delete(at, id)
			}
		}
		if there != len(a.ids) && (there != 0 || a.position != 0) {
			t.Errorf("%s: %d events of an append of %d are there, acknowledged: %t", w.stream, there, len(a.ids), a.position != 0)
		}
	}
	if len(at) > 0 {
		t.Errorf("%s has %d events that nobody appended", w.stream, len(at))
	}
}

// follower keeps one subscription open over all deaths of the store.
type follower struct {
	mu   sync.Mutex
	got  []events.Stored
	move chan struct{} // closed when got has grown
}

func (f *follower) follow(ctx context.Context, store *esdb.Store) {
	for m, err := range store.Subscribe(ctx, 0) {
		if err != nil {
			return
		}
		if m.Event == nil {
			continue
		}
		f.mu.Lock()
		f.got = append(f.got, *m.Event)
		if f.move != nil {
			close(f.move)
			f.move = nil
		}
		f.mu.Unlock()
	}
}

func (f *follower) until(ctx context.Context, t *testing.T, p events.Position) {
	t.Helper()
	for {
		f.mu.Lock()
		here := len(f.got) > 0 && f.got[len(f.got)-1].Position >= p
		if f.move == nil {
			f.move = make(chan struct{})
		}
		move := f.move
		f.mu.Unlock()
		if here {
			return
		}
		select {
		case <-move:
		case <-ctx.Done():
			t.Fatalf("the subscription did not come to %s: %v", p, context.Cause(ctx))
		}
	}
}

func (f *follower) audit(t *testing.T, log []events.Stored) {
	t.Helper()
	if len(f.got) != len(log) {
		t.Errorf("the subscription brought %d events, the log has %d", len(f.got), len(log))
		return
	}
	for i, e := range f.got {
		if e.ID != log[i].ID || e.Position != log[i].Position {
			t.Errorf("event %d of the subscription is %s at %s, of the log %s at %s", i, e.ID, e.Position, log[i].ID, log[i].Position)
			return
		}
	}
}
