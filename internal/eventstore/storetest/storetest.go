// Package storetest holds the promises of an event store as one suite, run on
// every implementation. It needs no empty store: each test writes to streams of
// its own and looks at nothing else, so that it may run on a shared server; what
// was there before is read only where that is the question, and then only if it
// is short.
package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
)

// patience is how long a test waits for what must come.
const patience = 60 * time.Second

// Store is what every event store offers.
type Store interface {
	Append(ctx context.Context, stream events.StreamName, expected events.Expected, evs ...events.Proposed) (events.Appended, error)
	Read(ctx context.Context, stream events.StreamName, from events.Revision) iter.Seq2[events.Stored, error]
	ReadAll(ctx context.Context, after events.Position, f events.Filter) iter.Seq2[events.Stored, error]
	Subscribe(ctx context.Context, after events.Position) iter.Seq2[events.Message, error]
	SubscribeTo(ctx context.Context, after events.Position, categories ...string) iter.Seq2[events.Message, error]
	Head(ctx context.Context) (events.Position, error)
}

// Run tests a store. open is called once for each test of the suite and may
// return the same store each time; the tests run in parallel.
func Run(t *testing.T, open func(t *testing.T) Store) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Store){
		"expectations and repeats":   testIdempotency,
		"one of many writers wins":   testRace,
		"an append is all or none":   testAtomic,
		"what is appended is read":   testRoundTrip,
		"odd names":                  testNames,
		"what may not be appended":   testRefused,
		"size":                       testSize,
		"reading a stream":           testRead,
		"reading the log":            testReadAll,
		"the head":                   testHead,
		"following from everywhere":  testSubscribe,
		"following some categories":  testSubscribeTo,
		"following ends with ctx":    testSubscribeEnds,
		"hand-over while many write": testHandOver,
		"random appends":             testRandom,
		"calls after their context":  testContext,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// stage is one test's own corner of a store: a category nobody else uses.
type stage struct {
	Store
	t        testing.TB
	ctx      context.Context //nolint:containedctx // one test's life
	category string
	ids      uuid.UUID
	began    events.Position // nothing of the stage is at or before it
}

func newStage(t testing.TB, store Store) stage {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	id := uuid.New()
	s := stage{Store: store, t: t, ctx: ctx, category: fmt.Sprintf("t%x", id[:6]), ids: id}
	s.began = s.head()
	return s
}

// longHistory is how many events a test reads that are not its own.
const longHistory = 100_000

// needsShortHistory skips a test that begins at the start of the log when that
// is too far away.
func (s stage) needsShortHistory(t *testing.T) {
	t.Helper()
	n := 0
	for _, err := range s.ReadAll(s.ctx, 0, events.Filter{}) {
		if err != nil {
			t.Fatalf("read the log: %v", err)
		}
		if n++; n > longHistory {
			t.Skipf("the store has a history of more than %d events", longHistory)
		}
	}
}

func (s stage) stream(name string) events.StreamName {
	return events.StreamName(s.category + "-" + name)
}

// event is the event known by a name; its id is always the same in this stage.
func (s stage) event(name string) events.Proposed {
	return events.Proposed{
		ID: uuid.NewSHA1(s.ids, []byte(name)), Type: "Noted",
		Data: fmt.Appendf(nil, `{"name":%q}`, name), Metadata: json.RawMessage(`{"schema_version":1}`),
	}
}

// events are those known by single letters.
func (s stage) events(letters string) []events.Proposed {
	evs := make([]events.Proposed, 0, len(letters))
	for _, letter := range letters {
		evs = append(evs, s.event(string(letter)))
	}
	return evs
}

func (s stage) append(stream events.StreamName, expected events.Expected, letters string) events.Appended {
	s.t.Helper()
	appended, err := s.Append(s.ctx, stream, expected, s.events(letters)...)
	if err != nil {
		s.t.Fatalf("append %q expecting %s: %v", letters, expected, err)
	}
	return appended
}

func (s stage) head() events.Position {
	s.t.Helper()
	head, err := s.Head(s.ctx)
	if err != nil {
		s.t.Fatalf("head: %v", err)
	}
	return head
}

func (s stage) read(stream events.StreamName, from events.Revision) []events.Stored {
	s.t.Helper()
	return collect(s.t, s.Read(s.ctx, stream, from))
}

// mine are the stage's own events after a position, in the log's order; 0: all.
func (s stage) mine(after events.Position) []events.Stored {
	s.t.Helper()
	return collect(s.t, s.ReadAll(s.ctx, max(after, s.began), events.Filter{Category: s.category}))
}

func collect(t testing.TB, seq iter.Seq2[events.Stored, error]) []events.Stored {
	t.Helper()
	var got []events.Stored
	for e, err := range seq {
		if err != nil {
			t.Fatalf("after %d events: %v", len(got), err)
		}
		got = append(got, e)
	}
	return got
}

// names are the names of the events, as given to stage.event.
func names(t testing.TB, stored []events.Stored) []string {
	t.Helper()
	got := make([]string, len(stored))
	for n, e := range stored {
		var data struct{ Name string }
		if err := json.Unmarshal(e.Data, &data); err != nil {
			t.Fatalf("data of %s revision %d: %v", e.Stream, e.Revision, err)
		}
		got[n] = data.Name
	}
	return got
}

func equal[T any](t testing.TB, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
