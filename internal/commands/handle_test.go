package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/memory"
)

// request is the metadata of one execution of the command with this key.
func request(key, hash string) events.Metadata {
	return events.Metadata{CommandID: events.KeyedID("dev", "route", key), Attempt: uuid.New(), BodyHash: hash}
}

func publish(key string) Publish {
	return Publish{events.Published{
		NotificationID: events.KeyedID("dev", "route", key),
		To:             []events.Target{{Topic: "builds"}}, Content: events.Content{Title: key},
	}}
}

func TestOneOfManyEqualRequestsIsFirst(t *testing.T) {
	t.Parallel()
	store := &memory.Store{}
	const callers = 32
	receipts := make([]Receipt[Notification], callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			var err error
			if receipts[i], err = Handle(t.Context(), store, request("k", "h"), publish("k")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	first := 0
	for _, r := range receipts {
		if !r.Replayed {
			first++
		}
		if r.Position != receipts[0].Position {
			t.Errorf("positions %s and %s for the same request", r.Position, receipts[0].Position)
		}
	}
	if first != 1 {
		t.Errorf("%d requests were first, want 1", first)
	}
	if n := length(t, store, publish("k").Stream()); n != 1 {
		t.Errorf("published %d times", n)
	}
}

func TestAKeyWithAnotherBodyIsRefused(t *testing.T) {
	t.Parallel()
	store := &memory.Store{}
	if _, err := Handle(t.Context(), store, request("k", "one"), publish("k")); err != nil {
		t.Fatal(err)
	}
	_, err := Handle(t.Context(), store, request("k", "two"), publish("k"))
	if code := refusalCode(err); code != CodeKeyReused {
		t.Errorf("refused with %q, want %q", code, CodeKeyReused)
	}
}

func TestOurOwnRetryIsNoReplay(t *testing.T) {
	t.Parallel()
	store := &memory.Store{}
	md := request("k", "h")
	for range 2 {
		r, err := Handle(t.Context(), store, md, publish("k"))
		if err != nil || r.Replayed || r.Position != 1 {
			t.Errorf("receipt %+v, %v", r, err)
		}
	}
}

// racing lets another writer in before the first appends.
type racing struct {
	*memory.Store
	others []func()
}

func (r *racing) Append(ctx context.Context, s events.StreamName, x events.Expected, evs ...events.Proposed) (events.Appended, error) {
	if len(r.others) > 0 {
		other := r.others[0]
		r.others = r.others[1:]
		other()
	}
	return r.Store.Append(ctx, s, x, evs...)
}

func TestALostRaceIsDecidedAnew(t *testing.T) {
	t.Parallel()
	store := &racing{Store: &memory.Store{}}
	subscribe := func(least events.Severity) func() {
		return func() {
			_, err := Handle(t.Context(), store.Store, request(uuid.NewString(), ""), Subscribe{"alice", "builds", events.Rules{MinSeverity: least}})
			if err != nil {
				t.Error(err)
			}
		}
	}
	store.others = []func(){subscribe(events.SeverityHigh), subscribe(events.SeverityCritical)}
	r, err := Handle(t.Context(), store, request("mine", ""), Subscribe{User: "alice", Topic: "builds"})
	if err != nil || r.State.Since != 1 || r.State.MinSeverity != events.SeverityLow || r.Position != 3 {
		t.Errorf("receipt %+v, %v", r, err)
	}
	store.others = []func(){subscribe(1), subscribe(2), subscribe(1), subscribe(2), subscribe(1)}
	_, err = Handle(t.Context(), store, request("again", ""), Subscribe{"alice", "builds", events.Rules{MinSeverity: events.SeverityCritical}})
	if code := refusalCode(err); code != CodeConflict {
		t.Errorf("after four lost races: %q, want %q", code, CodeConflict)
	}
}

func TestAnUnchangedStateAnswersWithItsPosition(t *testing.T) {
	t.Parallel()
	store := &memory.Store{}
	for i, want := range []events.Position{1, 1, 1} {
		r, err := Handle(t.Context(), store, request(fmt.Sprint(i), ""), Subscribe{User: "alice", Topic: "builds"})
		if err != nil || r.Position != want || r.Changed != (i == 0) {
			t.Errorf("%d: receipt %+v, %v", i, r, err)
		}
	}
	r, err := Handle(t.Context(), store, request("none", ""), Unsubscribe{User: "bob", Topic: "builds"})
	if err != nil || r.Position != 0 || r.Changed {
		t.Errorf("nothing to end: receipt %+v, %v", r, err)
	}
}

func TestRetractFindsWhatABatchPublished(t *testing.T) {
	t.Parallel()
	store := &memory.Store{}
	outcomes := HandleBatch(t.Context(), store, request("k", ""), batch(events.BatchID(uuid.New()), "a", "b"))
	r, err := Handle(t.Context(), store, request("r", ""), Retract{outcomes[1].ID})
	if err != nil || r.State.Published.Content.Title != "b" || r.State.Position != 2 || !r.Changed {
		t.Errorf("receipt %+v, %v", r, err)
	}
	again, err := Handle(t.Context(), store, request("r2", ""), Retract{outcomes[1].ID})
	if err != nil || again.Changed || again.Position != r.Position {
		t.Errorf("again: %+v, %v", again, err)
	}
	_, err = Handle(t.Context(), store, request("r3", ""), Retract{events.BatchEntryID(outcomes[0].ID, 7)})
	if code := refusalCode(err); code != CodeNotFound {
		t.Errorf("an entry that never was: %q", code)
	}
}

func TestSubscribersGoEntryByEntry(t *testing.T) {
	t.Parallel()
	store := &memory.Store{}
	kept := events.Rules{MinSeverity: events.SeverityHigh}
	for _, user := range []events.User{"kept", "leaves"} {
		if _, err := Handle(t.Context(), store, request(string(user), ""), Subscribe{user, "builds", kept}); err != nil {
			t.Fatal(err)
		}
	}
	c := Subscribers{Topic: "builds", Add: []events.User{"kept", "new"}, Remove: []events.User{"leaves", "stranger"}}
	for i, want := range []SubscribersReceipt{{1, 1, 2, 4}, {0, 0, 4, 4}} {
		got, err := HandleSubscribers(t.Context(), store, request(fmt.Sprint(i), ""), c)
		if err != nil || got != want {
			t.Errorf("call %d: %+v, %v, want %+v", i, got, err, want)
		}
	}
	r, err := Handle(t.Context(), store, request("look", ""), Join{"kept", "builds"})
	if err != nil || r.State.Rules != kept {
		t.Errorf("rules of who was there: %+v, %v", r, err)
	}
}

func batch(id uuid.UUID, titles ...string) Batch {
	b := Batch{ID: id}
	for i, title := range titles {
		b.Entries = append(b.Entries, BatchEntry{Index: i, BodyHash: title, Notification: events.Published{
			To: []events.Target{{User: "alice"}}, Content: events.Content{Title: title},
		}})
	}
	return b
}

func TestBatchIsJudgedByKeyAndIndex(t *testing.T) {
	t.Parallel()
	store := &memory.Store{}
	id := events.BatchID(events.KeyedID("dev", "batch", "k"))
	first := HandleBatch(t.Context(), store, request("k", ""), batch(id, "a", "b"))
	for i, o := range first {
		if o.Err != nil || o.Replayed || o.Position != 2 || o.ID != events.BatchEntryID(id, i) {
			t.Errorf("entry %d: %+v", i, o)
		}
	}
	second := HandleBatch(t.Context(), store, request("k", ""), batch(id, "a", "other", "c"))
	if o := second[0]; !o.Replayed || o.Position != 2 || o.Err != nil {
		t.Errorf("the same entry: %+v", o)
	}
	if code := refusalCode(second[1].Err); code != CodeKeyReused {
		t.Errorf("another body at the same index: %q", code)
	}
	if o := second[2]; o.Replayed || o.Position != 3 || o.Err != nil {
		t.Errorf("a new entry: %+v", o)
	}
	if n := length(t, store, events.BatchStream(id)); n != 3 {
		t.Errorf("%d events, want 3", n)
	}
}

func TestLargeBatchTakesSeveralAppends(t *testing.T) {
	t.Parallel()
	store := &memory.Store{}
	b := batch(events.BatchID(uuid.New()), strings.Split(strings.Repeat("x", 100), "")...)
	for i := range b.Entries {
		b.Entries[i].Notification.Content.Data = json.RawMessage(`{"x":"` + strings.Repeat("x", 60<<10) + `"}`)
	}
	first := HandleBatch(t.Context(), store, request("k", ""), b)
	positions := map[events.Position]int{}
	for _, o := range first {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		positions[o.Position]++
	}
	if len(positions) != 7 {
		t.Errorf("appends: %v, want 7 of about 1 MiB", positions)
	}
	for i, o := range HandleBatch(t.Context(), store, request("k", ""), b) {
		if o.Err != nil || !o.Replayed || o.Position != first[i].Position {
			t.Errorf("replay of entry %d: %+v, first %+v", i, o, first[i])
		}
	}
}

// failing answers every append after the first few with an error.
type failing struct {
	*memory.Store
	good int
	err  error
}

func (f *failing) Append(ctx context.Context, s events.StreamName, x events.Expected, evs ...events.Proposed) (events.Appended, error) {
	if f.good == 0 {
		return events.Appended{}, f.err
	}
	f.good--
	return f.Store.Append(ctx, s, x, evs...)
}

func TestAHalfDoneBatchSaysWhichHalf(t *testing.T) {
	t.Parallel()
	store := &failing{Store: &memory.Store{}, good: 1, err: events.ErrStoreUnavailable}
	b := batch(events.BatchID(uuid.New()), "a", "b", "c")
	for i := range b.Entries {
		b.Entries[i].Notification.Content.Body = strings.Repeat("x", 400<<10)
	}
	got := HandleBatch(t.Context(), store, request("k", ""), b)
	if got[0].Err != nil || got[1].Err != nil || !errors.Is(got[2].Err, events.ErrStoreUnavailable) {
		t.Errorf("outcomes %+v", got)
	}
	for i, o := range HandleBatch(t.Context(), store.Store, request("k", ""), b) {
		if o.Err != nil || o.Replayed != (i < 2) {
			t.Errorf("the repeat, entry %d: %+v", i, o)
		}
	}
}

func length(t *testing.T, store Store, stream events.StreamName) int {
	t.Helper()
	n := 0
	for _, err := range store.Read(t.Context(), stream, 0) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}
