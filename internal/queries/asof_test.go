package queries_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
	"github.com/tidings-io/tidings/internal/queries"
)

// TestTheTimeOfAPosition asks, position by position, about an item that expires
// 200 ms after the log began, in a log whose clock ticked once only.
func TestTheTimeOfAPosition(t *testing.T) {
	t.Parallel()
	url, pool := database(t)
	lapses := []time.Duration{0, 0, 100 * time.Millisecond, 100 * time.Millisecond, -50 * time.Millisecond, 200 * time.Millisecond}
	w := &writer{gap: func() uint64 { return 10 }}
	w.lapse = func() time.Duration { return lapses[len(w.log)] }
	w.add(events.StoreNamed{StoreID: storeID})
	w.add(events.Published{NotificationID: uuid.New(), To: []events.Target{{User: "alice"}}, ExpiresAt: new(began.Add(200 * time.Millisecond))})
	for len(w.log) < len(lapses) {
		w.add(events.TopicDescribed{Topic: "builds", Description: fmt.Sprint(len(w.log))})
	}
	q := queries.New(pool, queries.Options{Now: func() time.Time { return now }, Poll: time.Millisecond, Log: written(w.log)})
	project(t.Context(), t, url, q, w.log, never, inbox.Retention{}, 0)
	cases := map[string]struct {
		of    queries.AsOf
		total int
		at    events.Position
	}{
		"before it was published":                    {queries.AsOf{Position: 10}, 0, 10},
		"where it was published":                     {queries.AsOf{Position: 20}, 1, 20},
		"between two events":                         {queries.AsOf{Position: 25}, 1, 25},
		"at the last event before it expires":        {queries.AsOf{Position: 30}, 1, 30},
		"at the event at whose time it expires":      {queries.AsOf{Position: 40}, 0, 40},
		"at a later event of an earlier time":        {queries.AsOf{Position: 50}, 0, 50},
		"at the end":                                 {queries.AsOf{Position: 60}, 0, 60},
		"the time before the log began":              {queries.AsOf{Time: began.Add(-time.Microsecond)}, 0, 0},
		"the time at which the log began":            {queries.AsOf{Time: began}, 1, 20},
		"a time between two events":                  {queries.AsOf{Time: began.Add(150 * time.Millisecond)}, 1, 30},
		"the moment before it expires":               {queries.AsOf{Time: began.Add(200*time.Millisecond - time.Microsecond)}, 1, 30},
		"the moment it expires":                      {queries.AsOf{Time: began.Add(200 * time.Millisecond)}, 0, 50},
		"the present":                                {queries.AsOf{Time: now}, 0, 60},
		"what is finer than a microsecond is passed": {queries.AsOf{Time: began.Add(100*time.Millisecond + time.Nanosecond)}, 1, 30},
	}
	for rule, c := range cases {
		got, err := q.Counts(t.Context(), "alice", c.of)
		if err != nil || got.Total != c.total || got.Position != c.at {
			t.Errorf("%s: got %d as of %s, %v, want %d as of %s", rule, got.Total, got.Position, err, c.total, c.at)
		}
	}
}

// TestWhatCannotBeAnsweredOfThePast says so, rather than to give another answer.
func TestWhatCannotBeAnsweredOfThePast(t *testing.T) {
	t.Parallel()
	url, pool := database(t)
	w := &writer{gap: func() uint64 { return 10 }}
	w.lapse = func() time.Duration { return 100 * time.Millisecond }
	w.add(events.StoreNamed{StoreID: storeID})
	for range 4 {
		w.add(events.TopicDescribed{Topic: "builds", Description: fmt.Sprint(len(w.log))})
	}
	options := queries.Options{Now: func() time.Time { return now }, Poll: time.Millisecond, Timeout: time.Second, Log: written(w.log)}
	q := queries.New(pool, options)
	project(t.Context(), t, url, q, w.log[:3], never, inbox.Retention{}, 0)
	options.Log = nil
	blind := queries.New(pool, options)
	cases := map[string]struct {
		q    *queries.Queries
		of   queries.AsOf
		want error
	}{
		"a time to come":                    {q, queries.AsOf{Time: now.Add(time.Microsecond)}, queries.ErrAhead},
		"a position above the head":         {q, queries.AsOf{Position: 51}, queries.ErrAhead},
		"a position not yet projected":      {q, queries.AsOf{Position: 50}, queries.ErrNotYetProjected},
		"a time not yet projected":          {q, queries.AsOf{Time: now}, queries.ErrNotYetProjected},
		"a position above, without the log": {blind, queries.AsOf{Position: 40}, queries.ErrNotYetProjected},
	}
	for rule, c := range cases {
		if _, err := c.q.Counts(t.Context(), "alice", c.of); !errors.Is(err, c.want) || errors.Is(err, queries.ErrUnavailable) {
			t.Errorf("%s: got %v, want %v", rule, err, c.want)
		}
		if _, err := c.q.Inbox(t.Context(), queries.InboxQuery{User: "alice", Limit: 1, AsOf: c.of}); !errors.Is(err, c.want) {
			t.Errorf("%s: a page answers %v, want %v", rule, err, c.want)
		}
		if _, err := c.q.Subscribers(t.Context(), queries.SubscribersQuery{Topic: "builds", Limit: 1, AsOf: c.of}); !errors.Is(err, c.want) {
			t.Errorf("%s: subscribers are answered with %v, want %v", rule, err, c.want)
		}
	}
	if _, err := blind.Counts(t.Context(), "alice", queries.AsOf{Position: 20}); err == nil || !strings.Contains(err.Error(), "no log") {
		t.Errorf("between two ticks without a log: got %v", err)
	}
	if _, err := q.Counts(t.Context(), "alice", queries.AsOf{Position: 20}, 31); !errors.Is(err, queries.ErrNotYetProjected) {
		t.Errorf("a demand that is not met: got %v", err)
	}
}

// TestAFoldOfTheLogEnds has the log take longer than the caller has.
func TestAFoldOfTheLogEnds(t *testing.T) {
	t.Parallel()
	url, pool := database(t)
	w := &writer{gap: func() uint64 { return 10 }}
	w.add(events.StoreNamed{StoreID: storeID})
	w.add(events.TopicDescribed{Topic: "builds"})
	log := written(w.log)
	q := queries.New(pool, queries.Options{Now: func() time.Time { return now }, Poll: time.Millisecond, Log: stuck{log}})
	project(t.Context(), t, url, q, log, never, inbox.Retention{}, 0)
	if _, err := pool.Exec(t.Context(), "update projections set complete_from = 100"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := q.Counts(ctx, "alice", queries.AsOf{Position: 20}); !errors.Is(err, queries.ErrTooFar) {
		t.Errorf("got %v, want %v", err, queries.ErrTooFar)
	}
}

// stuck is a log whose second event never comes.
type stuck struct{ written }

func (s stuck) ReadAll(ctx context.Context, after events.Position, f events.Filter) iter.Seq2[events.Stored, error] {
	return func(yield func(events.Stored, error) bool) {
		for e := range s.written.ReadAll(ctx, after, f) {
			if !yield(e, nil) {
				return
			}
			<-ctx.Done()
			yield(events.Stored{}, ctx.Err())
			return
		}
	}
}

// TestSkippedEventsArePassedOverInThePast has an operator skip what the log path
// would otherwise fold.
func TestSkippedEventsArePassedOverInThePast(t *testing.T) {
	t.Parallel()
	url, pool := database(t)
	w := &writer{gap: func() uint64 { return 10 }}
	w.add(events.StoreNamed{StoreID: storeID})
	w.add(events.Published{NotificationID: uuid.New(), To: []events.Target{{User: "alice"}}})
	w.add(events.Published{NotificationID: uuid.New(), To: []events.Target{{User: "alice"}}})
	w.add(events.EventSkipped{Position: 20, Order: events.Order{Projection: "inbox"}})
	q := queries.New(pool, queries.Options{Now: func() time.Time { return now }, Poll: time.Millisecond, Log: written(w.log)})
	project(t.Context(), t, url, q, w.log, never, inbox.Retention{}, 0)
	if _, err := pool.Exec(t.Context(), "update projections set complete_from = 100"); err != nil {
		t.Fatal(err)
	}
	got, err := q.Counts(t.Context(), "alice", queries.AsOf{Position: 30})
	if err != nil || got.Total != 1 {
		t.Errorf("got %+v, %v, want 1 item", got, err)
	}
}
