package projections

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
)

// held is one item as the tables have it.
type held struct {
	user     string
	position events.Position
	row      bool // in inbox, so not by a join alone
	marks    string
	deleted  bool
}

// judge says what is hidden, by the rules alone and from the log.
type judge struct {
	log       []events.Recorded
	ticks     []inbox.Tick
	ends      map[events.Position]ending
	keepAge   time.Duration
	keepItems int
}

type ending struct {
	expires   *time.Time
	retracted events.Position
}

func newJudge(log []events.Recorded, keepAge time.Duration, keepItems int) *judge {
	j := &judge{log: log, keepAge: keepAge, keepItems: keepItems, ends: map[events.Position]ending{}}
	var clock inbox.Clock
	for _, r := range log {
		if clock.Pass(r.Position, r.At) {
			j.ticks = append(j.ticks, clock.Last)
		}
		switch e := r.Event.(type) {
		case events.Published:
			j.ends[r.Position] = ending{expires: e.ExpiresAt}
		case events.Retracted:
			for _, p := range log {
				if of, ok := p.Event.(events.Published); ok && of.NotificationID == e.NotificationID && j.ends[p.Position].retracted == 0 {
					j.ends[p.Position] = ending{of.ExpiresAt, r.Position}
				}
			}
		}
	}
	return j
}

// hidden says whether an item is hidden at a time when the log had come to a
// position, among all of what its user has.
func (j *judge) hidden(h held, all []held, at time.Time, upto events.Position) bool {
	end := j.ends[h.position]
	newer := 0
	for _, other := range all {
		if other.user == h.user && other.position > h.position && other.position <= upto {
			newer++
		}
	}
	return end.retracted != 0 && end.retracted <= upto ||
		end.expires != nil && !end.expires.After(at) ||
		j.keepAge > 0 && h.position <= j.tooOld(at, upto) ||
		j.keepItems > 0 && newer >= j.keepItems
}

func (j *judge) tooOld(at time.Time, upto events.Position) events.Position {
	for _, t := range j.ticks {
		if t.At.After(at.Add(-j.keepAge)) && t.Position <= upto {
			return t.Position - 1
		}
	}
	return upto
}

// latest is the highest time up to a position.
func (j *judge) latest(upto events.Position) (latest time.Time) {
	for i, r := range j.log {
		if r.Position <= upto && (i == 0 || r.At.After(latest)) {
			latest = r.At
		}
	}
	return latest
}

// visible is what is not hidden, with its marks.
func (j *judge) visible(all []held, at time.Time) string {
	var lines []string
	for _, h := range all {
		if !h.deleted && !j.hidden(h, all, at, j.log[len(j.log)-1].Position) {
			lines = append(lines, fmt.Sprintf("%s %d %s", h.user, h.position, h.marks))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func heldBy(ctx context.Context, t fataler, conn *pgx.Conn) []held {
	rows, err := conn.Query(ctx, `
		select u.name, i.position, bool_or(i.row), concat_ws(' ', m.seen_at, m.read_at, m.archived_at, m.deleted_at), m.deleted_at is not null
		from (
			select user_id, position, true as row from inbox
			union all
			select p.user_id, n.position, false
			from audience_targets t join notifications n using (position) join periods p using (audience_id)
			where not t.stored and p.from_position < n.position and n.position < p.until_position and p.floor <= n.severity
		) i join users u using (user_id) left join marks m using (user_id, position)
		group by u.name, i.position, m.user_id, m.position`)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (h held, err error) {
		return h, row.Scan(&h.user, &h.position, &h.row, &h.marks, &h.deleted)
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestCleaningChangesNoAnswer: what is deleted had been hidden for the whole of the
// history, and all of that is; no answer of now, of later, or of the history
// changes, and the tables say how far back they know.
func TestCleaningChangesNoAnswer(t *testing.T) {
	t.Parallel()
	conn := fresh(t)
	rapid.Check(t, func(rt *rapid.T) {
		log := drawLog(rt)
		limit := rapid.SampledFrom([]int{0, 1, 1000}).Draw(rt, "store limit")
		seconds := rapid.SampledFrom([]int{0, 0, 2, 10}).Draw(rt, "keep seconds")
		items := rapid.SampledFrom([]int{0, 0, 1, 3}).Draw(rt, "keep items")
		history := time.Duration(rapid.IntRange(0, 20).Draw(rt, "history")) * time.Second
		now := epoch.Add(time.Duration(rapid.IntRange(0, 40).Draw(rt, "now")) * time.Second)
		cut := rapid.IntRange(1, len(log)).Draw(rt, "cut")
		j := newJudge(log, time.Duration(seconds)*time.Second, items)
		then := newJudge(log[:cut], j.keepAge, j.keepItems)

		foldInto(t, rt, conn, limit, log, len(log))
		whole := heldBy(t.Context(), rt, conn)
		foldInto(t, rt, conn, limit, log[:cut], cut)
		if _, err := conn.Exec(t.Context(), `update projections set keep_seconds = $1, keep_items = $2`, seconds, items); err != nil {
			rt.Fatal(err)
		}
		before := heldBy(t.Context(), rt, conn)
		w := newWriter(t, conn, limit)
		begin(t, rt, w)
		cleanAll(t, rt, w, now, history, int64(rapid.SampledFrom([]int{1, 3, 5000}).Draw(rt, "rows")))
		after := heldBy(t.Context(), rt, conn)
		if diff := cmp.Diff(then.visible(before, now), then.visible(after, now)); diff != "" {
			rt.Errorf("before (-), after (+):\n%s", diff)
		}
		then.agree(rt, before, after, now.Add(-history))
		then.agreeOnHistory(t.Context(), rt, conn, before, after)
		if broken := linesOf(t.Context(), rt, conn, brokenQuery); broken != "" {
			rt.Errorf("the tables contradict themselves:\n%s", broken)
		}
		if cut < len(log) {
			if err := w.apply(t.Context(), spanOf(log[cut:])); err != nil {
				rt.Fatal(err)
			}
		}
		later := now
		if latest := j.latest(log[len(log)-1].Position); latest.After(later) {
			later = latest
		}
		if diff := cmp.Diff(j.visible(whole, later), j.visible(heldBy(t.Context(), rt, conn), later)); diff != "" {
			rt.Errorf("later, never cleaned (-), cleaned in between (+):\n%s", diff)
		}
	})
}

// begin has the writer know where it stands.
func begin(t *testing.T, rt fataler, w *writer) {
	t.Helper()
	if err := w.apply(t.Context(), span{through: w.position}); err != nil {
		rt.Fatal(err)
	}
}

// cleanAll goes through everything until both walks rest.
func cleanAll(t *testing.T, rt fataler, w *writer, now time.Time, history time.Duration, rows int64) {
	t.Helper()
	c := cleaner{history: history, rows: rows}
	for range 200 {
		c.due = time.Time{}
		if _, err := c.step(t.Context(), w, now); err != nil {
			rt.Fatal(err)
		}
	}
}

// agree compares the rows with those that should be left. Items that are joined
// have no rows, and if they are only expired or retracted their marks stay.
func (j *judge) agree(t *rapid.T, before, after []held, since time.Time) {
	settled := events.Position(0)
	if latest := j.latest(events.MaxPosition); latest.Before(since) {
		since = latest
	}
	for _, tick := range j.ticks {
		if !tick.At.After(since) {
			settled = tick.Position
		}
	}
	left := map[string]held{}
	for _, h := range after {
		left[fmt.Sprint(h.user, h.position)] = h
	}
	old := *j
	if j.keepItems > 0 {
		old.ends = nil // all that a user received counts, so that it stays for as long as it may count
	}
	for _, h := range before {
		got := left[fmt.Sprint(h.user, h.position)]
		hidden := old.hidden(h, before, since, settled)
		if h.row && got.row == hidden {
			t.Errorf("%s %d: its row is there: %v, and it is hidden for long: %v", h.user, h.position, got.row, hidden)
		}
		if h.row && (got.marks == h.marks) == hidden && h.marks != "" {
			t.Errorf("%s %d: its marks %q are now %q, and it is hidden for long: %v", h.user, h.position, h.marks, got.marks, hidden)
		}
	}
}

// agreeOnHistory: whatever is gone had been hidden at every position and time that
// the tables say they know.
func (j *judge) agreeOnHistory(ctx context.Context, t *rapid.T, conn *pgx.Conn, before, after []held) {
	var (
		from  events.Position
		since *time.Time
	)
	err := conn.QueryRow(ctx, `select complete_from, nullif(complete_since, '-infinity') from projections`).Scan(&from, &since)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range before {
		if slices.Contains(after, h) {
			continue
		}
		for _, r := range j.log {
			if r.Position >= from && !j.hidden(h, before, j.latest(r.Position), r.Position) {
				t.Errorf("%s %d is gone, and was not hidden at %d, from where on the tables are complete (%d)", h.user, h.position, r.Position, from)
			}
		}
		for n := -10; n < 60; n++ {
			at := epoch.Add(time.Duration(n) * time.Second / 2)
			if upto := j.before(at); since == nil || !at.Before(*since) && !j.hidden(h, before, at, upto) {
				t.Errorf("%s %d is gone, and was not hidden at %s, since when the tables are complete (%s)", h.user, h.position, at, since)
			}
		}
	}
}

// before is the position before the first event later than a time.
func (j *judge) before(at time.Time) (upto events.Position) {
	for _, r := range j.log {
		if r.At.After(at) {
			return upto
		}
		upto = r.Position
	}
	return upto
}

func TestRunCleansBetweenBatches(t *testing.T) {
	t.Parallel()
	log := newLog(t, publish(1, 0, "user:ann"), publish(2, 0, "user:ann"), publish(3, 0, "user:ann"))
	p := newInbox(freshURL(t), log)
	p.Metrics = NewMetrics(nil)
	p.KeepItems, p.KeepHistory = 1, time.Nanosecond
	start(t, p)
	awaitPosition(t, p, 30)
	conn := dial(t, p.DatabaseURL)
	eventually(t, "clean", func() bool { return rowsOf(t.Context(), t, conn, "inbox") == "inbox: ann 30\n" })
	eventually(t, "count", func() bool { return gaugeOf(t, p.Metrics.cleaned) == 2 })
}

// TestAFaultOfCleaningKeepsNothingFromBeingApplied: it leaves no transaction open
// and rests.
func TestAFaultOfCleaningKeepsNothingFromBeingApplied(t *testing.T) {
	t.Parallel()
	conn := fresh(t)
	log := recordedAt(publish(1, 0, "user:ann"), publish(2, 0, "user:ann"))
	w := newWriter(t, conn, 0)
	if err := w.apply(t.Context(), spanOf(log[:1])); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), `alter table notifications rename column cleaned to away`); err != nil {
		t.Fatal(err)
	}
	c, now := cleaner{}, epoch
	if _, err := c.step(t.Context(), w, now); err == nil {
		t.Error("got no error")
	}
	if _, err := c.step(t.Context(), w, now.Add(cleanRest-1)); err != nil {
		t.Errorf("got %v, want that it rests", err)
	}
	if err := w.apply(t.Context(), spanOf(log[1:])); err != nil {
		t.Error(err)
	}
}

// TestCleaningIsFenced: a writer that believes in an old checkpoint deletes nothing.
func TestCleaningIsFenced(t *testing.T) {
	t.Parallel()
	url := freshURL(t)
	first, second := newWriter(t, dial(t, url), 0), newWriter(t, dial(t, url), 0)
	log := recordedAt(publish(1, 0, "user:ann"), publish(2, 0, "user:ann"))
	begin(t, t, second)
	if err := first.apply(t.Context(), spanOf(log)); err != nil {
		t.Fatal(err)
	}
	second.clock = first.clock
	if _, err := (&cleaner{}).step(t.Context(), second, epoch); err == nil || !strings.Contains(err.Error(), errFenced.Error()) {
		t.Errorf("got %v, want that it is fenced off", err)
	}
}

func TestRetentionIsWrittenDownAndALooserOneIsWarnedOf(t *testing.T) {
	t.Parallel()
	conn := fresh(t)
	newWriter(t, conn, 0)
	var said strings.Builder
	p := &Inbox{logger: slog.New(slog.NewTextHandler(&said, nil))}
	keep := func(age time.Duration, items int) string {
		t.Helper()
		p.Retention = Retention{KeepAge: age, KeepItems: items}
		if err := p.keep(t.Context(), conn); err != nil {
			t.Fatal(err)
		}
		return linesOf(t.Context(), t, conn, `select concat_ws(' ', keep_seconds, keep_items) from projections`)
	}
	if got := keep(1500*time.Millisecond, 3); got != "2 3" || said.Len() > 0 {
		t.Errorf("got %s, saying %q, want 2 3, saying nothing", got, said.String())
	}
	if _, err := conn.Exec(t.Context(), `update projections set complete_from = 7`); err != nil {
		t.Fatal(err)
	}
	if got := keep(1500*time.Millisecond, 3); got != "2 3" || said.Len() > 0 {
		t.Errorf("the same again: got %s, saying %q, want 2 3, saying nothing", got, said.String())
	}
	if got := keep(0, 0); got != "0 0" || !strings.Contains(said.String(), "rebuild") {
		t.Errorf("got %s, saying %q, want 0 0, saying that a rebuild is needed", got, said.String())
	}
}

func TestANegativeRetentionIsRefused(t *testing.T) {
	t.Parallel()
	for _, r := range []Retention{{KeepAge: -1}, {KeepItems: -1}, {KeepHistory: -1}} {
		p := newInbox("postgres:///x", newLog(t))
		p.Retention = r
		if _, err := p.prepare(); err == nil {
			t.Errorf("%+v was not refused", r)
		}
	}
}
