package selfcheck

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/memory"
	"github.com/tidings-io/tidings/internal/inbox"
	"github.com/tidings-io/tidings/internal/queries"
)

// tables are right, by folding the log themselves, but for what a test does to them.
type tables struct {
	store   *memory.Store
	users   []events.User
	at      events.Position // how far they have come; each answer takes them a step on
	step    events.Position
	skipped map[events.Position]bool
	keep    inbox.Retention
	tamper  func(*queries.Whole)
	away    atomic.Bool
	picks   atomic.Int64
}

// fault is what a model that is away answers.
func (f *tables) fault() error {
	if f.away.Load() {
		return errors.New("away")
	}
	return nil
}

func (f *tables) Checkpoint(context.Context) (events.Position, uuid.UUID, error) {
	return f.at, uuid.Nil, f.fault()
}

func (f *tables) SomeUsers(_ context.Context, n int) ([]events.User, error) {
	f.picks.Add(1)
	return f.users[:min(n, len(f.users))], f.fault()
}

func (f *tables) Whole(ctx context.Context, user events.User) (queries.Whole, error) {
	book, now := inbox.NewBook(user), time.Now()
	for s, err := range f.store.ReadAll(ctx, 0, events.Filter{}) {
		if err != nil || s.Position > f.at {
			break
		}
		if r, err := events.Decode(s); err == nil && !f.skipped[s.Position] {
			book.Apply(r)
		}
	}
	w := queries.Whole{
		Position: f.at, At: now, Keep: f.keep, Periods: book.Periods(), Muted: book.Muted(), Items: book.Items(now, f.keep),
	}
	w.Counts.Total, w.Counts.Unread, w.Counts.Unseen = book.Counts(now, f.keep)
	if user == "ann" && f.tamper != nil {
		f.tamper(&w)
	}
	f.at += f.step
	return w, f.fault()
}

func nid(n int) uuid.UUID { return uuid.NewSHA1(uuid.Nil, []byte{byte(n), byte(n >> 8)}) }

// record appends events to the memory store, each to a stream of its own kind.
func record(t *testing.T, store *memory.Store, evs ...events.Event) {
	t.Helper()
	for _, e := range evs {
		stream := events.StreamName("test")
		if skip, ok := e.(events.EventSkipped); ok {
			stream = events.ProjectionStream(skip.Projection)
		}
		p, err := events.Encode(e, stream, 0, events.Metadata{Attempt: uuid.New()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Append(t.Context(), stream, events.Any(), p); err != nil {
			t.Fatal(err)
		}
	}
}

func published(n int, targets ...events.Target) events.Published {
	return events.Published{NotificationID: nid(n), To: targets, Severity: events.SeverityNormal, Content: events.Content{Title: "t"}}
}

// history is ann's and bob's, in 9 events.
func history() []events.Event {
	return []events.Event{
		events.Subscribed{User: "ann", Topic: "a"},
		events.Subscribed{User: "ann", Topic: "b", Rules: events.Rules{MinSeverity: events.SeverityHigh}},
		events.PreferencesSet{User: "ann", Preferences: events.Preferences{MutedTopics: []events.Topic{"b"}}},
		published(1, events.Target{Topic: "a"}),
		published(2, events.Target{User: "ann"}, events.Target{User: "bob"}),
		events.ItemsRead{Items: events.Items{User: "ann", IDs: []uuid.UUID{nid(1)}}},
		events.ItemsArchived{Items: events.Items{User: "ann", IDs: []uuid.UUID{nid(2)}}},
		published(3, events.Target{Topic: "a"}, events.Target{Topic: "b"}),
		events.Subscribed{User: "bob", Topic: "a"},
	}
}

// value is that of a counter or a gauge.
func value(t *testing.T, metric prometheus.Collector) float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(metric)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	m := families[0].GetMetric()[0]
	return m.GetCounter().GetValue() + m.GetGauge().GetValue()
}

// checked is a job over these tables, and what it logs.
func checked(f *tables) (Job, *bytes.Buffer) {
	logged := new(bytes.Buffer)
	return Job{
		Log: f.store, Tables: f, Every: time.Hour, Metrics: NewMetrics(nil),
		Logger: slog.New(slog.NewTextHandler(logged, nil)),
	}.filled(), logged
}

func TestTablesThatAreRightGiveNothing(t *testing.T) {
	t.Parallel()
	for _, step := range []events.Position{0, 1} { // 1: the projection goes on meanwhile
		f := &tables{store: new(memory.Store), users: []events.User{"ann", "bob", "cyd"}, at: 6, step: step}
		record(t, f.store, history()...)
		j, logged := checked(f)
		if err := j.round(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := value(t, j.Metrics.users); got != 3 {
			t.Errorf("%v users were checked, want 3", got)
		}
		if got := value(t, j.Metrics.differences); got != 0 || logged.Len() > 0 {
			t.Errorf("%v differences: %s", got, logged)
		}
	}
}

// TestEachKindOfDifferenceIsFound: whatever is wrong is counted, and logged with the
// user's name, the position and the command that repairs.
func TestEachKindOfDifferenceIsFound(t *testing.T) {
	t.Parallel()
	for kind, c := range map[string]struct {
		tamper func(*queries.Whole)
		want   string
	}{
		"a missing item":   {func(w *queries.Whole) { w.Items = w.Items[1:] }, "the item at 8 is missing"},
		"one too many":     {func(w *queries.Whole) { w.Items = append(w.Items, inbox.Item{Position: 77}) }, "the item at 77 should not be there"},
		"a missing mark":   {func(w *queries.Whole) { w.Items[2].ReadAt = nil }, "read never"},
		"a mark too many":  {func(w *queries.Whole) { w.Items[0].SeenAt = new(time.Now()) }, "the item at 8: the log says"},
		"another severity": {func(w *queries.Whole) { w.Items[0].Severity = events.SeverityHigh }, "the item at 8: the log says"},
		"a wrong tally":    {func(w *queries.Whole) { w.Counts.Unread++ }, "counts: the log says 2 in all, 1 unread, 2 unseen, the tables 2 in all, 2 unread"},
		"a wrong sum":      {func(w *queries.Whole) { w.Tally.Seen++ }, "tallies: there are marks of"},
		"a missing period": {func(w *queries.Whole) { w.Periods = w.Periods[1:] }, "the period of a from 1 is missing"},
		"a wrong period":   {func(w *queries.Whole) { w.Periods[2].Muted = false }, "the period of b from 3: the log says until now, since 2, muted true"},
		"a wrong mute":     {func(w *queries.Whole) { w.Muted = nil }, "muted topics: the log says [b], the tables []"},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			f := &tables{store: new(memory.Store), users: []events.User{"bob", "ann"}, at: 9, tamper: c.tamper}
			record(t, f.store, history()...)
			j, logged := checked(f)
			if err := j.round(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := value(t, j.Metrics.differences); got != 1 {
				t.Errorf("%v differences, want 1", got)
			}
			line := logged.String()
			for _, want := range []string{c.want, "level=ERROR", "user=ann", "position=9", "tidings projections rebuild"} {
				if !strings.Contains(line, want) {
					t.Errorf("%q is not in %s", want, line)
				}
			}
			if strings.Count(line, "\n") != 1 {
				t.Errorf("not one line: %s", line)
			}
		})
	}
}

func TestRetentionHidesOnBothSides(t *testing.T) {
	t.Parallel()
	f := &tables{store: new(memory.Store), users: []events.User{"ann"}, at: 9, keep: inbox.Retention{Items: 1}}
	record(t, f.store, history()...)
	j, logged := checked(f)
	if err := j.round(t.Context()); err != nil || logged.Len() > 0 {
		t.Errorf("got %v and %s", err, logged)
	}
}

// TestWhatWasSkippedIsPassedOver: an event that cannot be read ends a round, until
// an operator has it skipped.
func TestWhatWasSkippedIsPassedOver(t *testing.T) {
	t.Parallel()
	f := &tables{store: new(memory.Store), users: []events.User{"ann"}, at: 11, skipped: map[events.Position]bool{4: true}}
	record(t, f.store, history()...)
	poison := events.Proposed{ID: uuid.New(), Type: "Unheard", Data: []byte("{}"), Metadata: []byte(`{"schema_version":1}`)}
	if _, err := f.store.Append(t.Context(), "test", events.Any(), poison); err != nil {
		t.Fatal(err)
	}
	record(t, f.store, events.EventSkipped{Order: events.Order{Projection: "inbox"}, Position: 4})
	j, logged := checked(f)
	if err := j.round(t.Context()); !errors.Is(err, events.ErrUnknownForm) {
		t.Errorf("got %v, want %v", err, events.ErrUnknownForm)
	}
	record(t, f.store, events.EventSkipped{Order: events.Order{Projection: "inbox"}, Position: 10})
	f.at = 12
	if err := j.round(t.Context()); err != nil || logged.Len() > 0 {
		t.Errorf("got %v and %s", err, logged)
	}
}

// TestThePaceIsKept: no more events are read in a second than allowed.
func TestThePaceIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &tables{store: new(memory.Store), users: []events.User{"ann"}, at: 21}
		for n := range 21 {
			record(t, f.store, published(n, events.Target{User: "ann"}))
		}
		j, logged := checked(f)
		j.Pace = 10
		began := time.Now()
		if err := j.round(t.Context()); err != nil || logged.Len() > 0 {
			t.Fatalf("got %v and %s", err, logged)
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("21 events took %s, want 2s", took)
		}
	})
}

// TestRoundsComeInTheirTime: the first after a part of the pause, then one after
// each; a failure ends a round and not the job.
func TestRoundsComeInTheirTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &tables{store: new(memory.Store), users: []events.User{"ann"}, at: 9}
		record(t, f.store, history()...)
		j, _ := checked(f)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- j.Run(ctx) }()
		for round := range 3 {
			time.Sleep(time.Hour)
			synctest.Wait()
			if got := value(t, j.Metrics.users); got != float64(round+1) {
				t.Errorf("%v users after %d hours", got, round+1)
			}
		}
		f.away.Store(true)
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := value(t, j.Metrics.failures); got != 1 {
			t.Errorf("%v failures, want 1", got)
		}
		f.away.Store(false)
		time.Sleep(time.Hour)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if got := value(t, j.Metrics.users); got != 4 {
			t.Errorf("%v users in all, want 4", got)
		}
		if value(t, j.Metrics.last) == 0 {
			t.Error("the end of the last round is not told")
		}
	})
}

// TestOnlyTheLeaderChecks: others never begin, and who no longer leads stops at
// once.
func TestOnlyTheLeaderChecks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &tables{store: new(memory.Store), users: []events.User{"ann"}, at: 50}
		for n := range 50 {
			record(t, f.store, published(n, events.Target{User: "ann"}))
		}
		j, logged := checked(f)
		j.Pace = 10
		var (
			asked atomic.Int64
			leads atomic.Bool
		)
		j.Leads = func() bool {
			return asked.Add(1) < 5 && leads.Load() // one before the round, one a stretch
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour-time.Second)
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- j.Run(ctx) }()
		time.Sleep(time.Hour)
		synctest.Wait()
		if asked.Load() != 1 || f.picks.Load() > 0 {
			t.Errorf("asked %d times, and users picked %d times, for one round that is not ours", asked.Load(), f.picks.Load())
		}
		leads.Store(true)
		if err := <-done; err != nil {
			t.Error(err)
		}
		if got := value(t, j.Metrics.users) + value(t, j.Metrics.failures); got != 0 || logged.Len() > 0 {
			t.Errorf("%v users and failures: %s", got, logged)
		}
	})
}

func TestNothingIsCheckedWhereNothingIsAsked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 1000*time.Hour)
		defer cancel()
		if err := (Job{}).Run(ctx); err != nil {
			t.Error(err)
		}
	})
}

// TestTablesThatGoBackAreNotCompared: a book cannot be turned back.
func TestTablesThatGoBackAreNotCompared(t *testing.T) {
	t.Parallel()
	f := &tables{store: new(memory.Store), users: []events.User{"ann", "bob"}, at: 9}
	record(t, f.store, history()...)
	f.tamper = func(*queries.Whole) { f.at = 3 }
	j, logged := checked(f)
	if err := j.round(t.Context()); err == nil || !strings.Contains(err.Error(), "check bob") {
		t.Errorf("got %v and %s", err, logged)
	}
}
