package queries_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
	"github.com/tidings-io/tidings/internal/queries"
)

var soak = flag.Bool("soak", false, "fold thousands of random histories instead of a hundred")

// history is a log and how the projection came to fold it.
type history struct {
	log  written
	keep inbox.Retention
	// deletes is after how long the projection deletes what is hidden.
	deletes time.Duration
	stages  []stage
}

// stage is one run of the projection: it folds up to an event, with fan-out stored
// for topics of up to so many subscribers, from what is there or from nothing.
type stage struct {
	events, storeLimit int
	rebuild            bool
}

// String is one event a line, with what was done between them.
func (h history) String() string {
	var lines strings.Builder
	fmt.Fprintf(&lines, "keep %s and %d items, delete after %s\n", h.keep.Age, h.keep.Items, h.deletes)
	for i, r := range h.log {
		for _, s := range h.stages {
			if s.events == i {
				fmt.Fprintf(&lines, "-- folded so far: %+v\n", s)
			}
		}
		fmt.Fprintf(&lines, "%6s  %s  %s %+v\n", r.Position, r.At.Format("15:04:05.000"), r.Event.Type(), r.Event)
	}
	return lines.String()
}

func drawHistory(t *rapid.T) history {
	h := history{log: drawLog(t, 90)}
	h.keep.Age = rapid.SampledFrom([]time.Duration{0, 0, 0, time.Second, 3 * time.Second, time.Hour - time.Second, time.Hour - 4*time.Second}).Draw(t, "keep age")
	h.keep.Items = rapid.SampledFrom([]int{0, 0, 1, 3, 1000}).Draw(t, "keep items")
	h.deletes = rapid.SampledFrom([]time.Duration{100 * 365 * 24 * time.Hour, time.Millisecond}).Draw(t, "deletes")
	for range rapid.IntRange(0, 2).Draw(t, "cuts") {
		h.stages = append(h.stages, stage{events: rapid.IntRange(1, len(h.log)).Draw(t, "cut")})
	}
	h.stages = append(h.stages, stage{events: len(h.log)})
	slices.SortFunc(h.stages, func(a, b stage) int { return a.events - b.events })
	for i := range h.stages {
		h.stages[i].storeLimit = rapid.SampledFrom([]int{never, 0, 1, 2}).Draw(t, "store limit")
		h.stages[i].rebuild = i > 0 && rapid.IntRange(0, 4).Draw(t, "rebuild") == 0
	}
	return h
}

// TestAnswersAreThoseOfANaiveFold has the projection fold random logs with fan-out
// all stored, all joined and mixed, stopped and rebuilt on the way; the answers, of
// now and of the past, must be those of the model.
func TestAnswersAreThoseOfANaiveFold(t *testing.T) {
	t.Parallel()
	rounds := 1
	if *soak {
		rounds = 40
	}
	url, pool := database(t)
	for range rounds { // each of rapid.checks histories
		rapid.Check(t, func(t *rapid.T) {
			h := drawHistory(t)
			defer func() {
				if t.Failed() {
					t.Log(h)
				}
			}()
			h.check(t, url, pool)
		})
	}
}

func (h history) check(t *rapid.T, url string, pool *pgxpool.Pool) {
	ctx := context.Background()
	q := queries.New(pool, queries.Options{Now: func() time.Time { return now }, Poll: time.Millisecond, Log: h.log, Streams: h.log})
	empty(ctx, t, pool)
	for _, s := range h.stages {
		if s.rebuild {
			empty(ctx, t, pool)
		}
		project(ctx, t, url, q, h.log[:s.events], s.storeLimit, h.keep, h.deletes)
	}
	m := h.model(len(h.log))
	compare(ctx, t, q, m)
	compareExplained(ctx, t, q, m)
	asked := drawPast(t, h.log)
	h.comparePast(ctx, t, q, asked)
	// the same from the log: the tables no longer tell
	for _, sql := range []string{
		"update projections set complete_from = 9223372036854775807", "truncate inbox, changes, notifications, audience_targets",
	} {
		if _, err := pool.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	h.comparePast(ctx, t, q, asked)
}

// model is what the model makes of the first events.
func (h history) model(events int) *model {
	m := fold(h.log[:events])
	m.keep = h.keep
	return m
}

// drawPast are some moments of a log.
func drawPast(t *rapid.T, log written) (asked []queries.AsOf) {
	for range 4 {
		asked = append(asked, queries.AsOf{Position: events.Position(rapid.Uint64Range(1, uint64(log[len(log)-1].Position)).Draw(t, "as of"))})
		at := rapid.SampledFrom(log).Draw(t, "at").At.Add(rapid.SampledFrom([]time.Duration{-time.Microsecond, 0, 400 * time.Millisecond}).Draw(t, "off"))
		asked = append(asked, queries.AsOf{Time: at})
	}
	return asked
}

// then is how many events there were at a moment, and the time of its answers.
func (h history) then(of queries.AsOf) (n int, at time.Time) {
	i := slices.IndexFunc(h.log, func(r events.Recorded) bool {
		if of.Time.IsZero() {
			return r.Position > of.Position
		}
		return r.At.After(of.Time)
	})
	if i < 0 {
		i = len(h.log)
	}
	if of.Time.IsZero() {
		return i, h.model(i).latest
	}
	return i, of.Time
}

func (h history) comparePast(ctx context.Context, t *rapid.T, q *queries.Queries, asked []queries.AsOf) {
	for _, of := range asked {
		n, at := h.then(of)
		m := h.model(n)
		if of.Time.IsZero() {
			m.position = of.Position
		}
		for _, topic := range append([]events.Topic{"unheard-of"}, topics...) {
			compareSubscribers(ctx, t, q, m, topic, of)
		}
		for _, user := range users {
			ask := queries.InboxQuery{
				User: user, AsOf: of, Counts: rapid.Bool().Draw(t, "counts"), State: rapid.SampledFrom(queries.States).Draw(t, "state"),
				Topic: rapid.SampledFrom(append([]events.Topic{"", "", ""}, topics...)).Draw(t, "topic"),
			}
			if rapid.IntRange(0, 3).Draw(t, "any severity") == 0 {
				ask.Severity = new(drawSeverity(t))
			}
			got := walk(t, m, func(limit int, cursor string) (queries.Page[inbox.Item], error) {
				ask.Limit, ask.Cursor = limit, cursor
				page, err := q.Inbox(ctx, ask)
				if err == nil && ask.Counts && *page.Counts != m.counts(user, at) {
					err = fmt.Errorf("counts are %+v, want %+v", *page.Counts, m.counts(user, at))
				}
				return page.Page, err
			})
			if d := diff(got, m.inbox(ask, at)); d != "" {
				t.Fatalf("%+v: got -, want +\n%s", ask, d)
			}
			counts, err := q.Counts(ctx, user, of)
			if want := (queries.Counts{InboxCounts: m.counts(user, at), Position: m.position}); err != nil || counts != want {
				t.Fatalf("counts of %s as of %+v: got %+v, %v, want %+v", user, of, counts, err, want)
			}
		}
	}
}
