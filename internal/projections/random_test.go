package projections

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
)

// history draws logs that deciders could have written.
type history struct {
	t          *rapid.T
	at         events.Position
	subscribed []pair
	published  []events.Published
	retracted  set[uuid.UUID]
}

func drawLog(t *rapid.T) []events.Recorded {
	h := &history{t: t, retracted: set[uuid.UUID]{}}
	log := []events.Recorded{}
	at := epoch
	for range rapid.IntRange(1, 60).Draw(t, "events") {
		h.at += events.Position(rapid.IntRange(1, 3).Draw(t, "gap"))
		log = append(log, events.Recorded{
			Position: h.at, At: at, Event: h.event(),
		})
		at = at.Add(time.Duration(rapid.SampledFrom([]int{-700, 0, 300, 1000}).Draw(t, "ms")) * time.Millisecond)
	}
	return log
}

func (h *history) event() events.Event {
	switch rapid.SampledFrom([]string{"pair", "pair", "publish", "publish", "change", "change", "change", "retract", "describe", "prefer"}).Draw(h.t, "kind") {
	case "pair":
		return h.subscription()
	case "publish":
		return h.publish()
	case "retract":
		if len(h.published) > 0 {
			return h.retract()
		}
	case "prefer":
		return events.PreferencesSet{User: h.user(), Preferences: events.Preferences{
			MutedTopics: rapid.SliceOfN(rapid.SampledFrom([]events.Topic{"a", "b", "c", "nobody's"}), 0, 3).Draw(h.t, "muted"),
		}}
	case "describe":
		return events.TopicDescribed{Topic: h.topic(), Description: rapid.SampledFrom([]string{"", "x", "y"}).Draw(h.t, "description")}
	}
	return h.change()
}

func (h *history) user() events.User {
	return events.User(rapid.SampledFrom([]string{"ann", "bob", "cyd"}).Draw(h.t, "user"))
}

func (h *history) topic() events.Topic {
	return events.Topic(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(h.t, "topic"))
}

func (h *history) severity() events.Severity {
	return events.Severity(rapid.IntRange(0, 3).Draw(h.t, "severity"))
}

func (h *history) subscription() events.Event {
	of := pair{h.topic(), h.user()}
	rules := events.Rules{
		MinSeverity: h.severity(),
		Filter:      rapid.SampledFrom(append(make([]string, 3), filters...)).Draw(h.t, "filter"),
	}
	i := slices.Index(h.subscribed, of)
	switch {
	case i < 0:
		h.subscribed = append(h.subscribed, of)
		return events.Subscribed{User: of.user, Topic: of.topic, Rules: rules}
	case rapid.Bool().Draw(h.t, "unsubscribe"):
		h.subscribed = slices.Delete(h.subscribed, i, i+1)
		return events.Unsubscribed{User: of.user, Topic: of.topic}
	default:
		return events.SubscriptionChanged{User: of.user, Topic: of.topic, Rules: rules}
	}
}

// filters are those of the model, in one order.
var filters = slices.Sorted(maps.Keys(modelFilters))

func (h *history) publish() events.Event {
	p := events.Published{NotificationID: nid(len(h.published)), Severity: h.severity(), Content: events.Content{Title: "t"}}
	p.Sender = rapid.SampledFrom([]string{"", "ci"}).Draw(h.t, "sender")
	if data := rapid.SampledFrom([]string{"", `{"urgent":true}`, `{"urgent":false}`}).Draw(h.t, "data"); data != "" {
		p.Content.Data = json.RawMessage(data)
	}
	if rapid.Bool().Draw(h.t, "expires") {
		p.ExpiresAt = &epoch
	}
	for range rapid.SampledFrom([]int{1, 1, 2, 4}).Draw(h.t, "targets") {
		target := events.Target{Topic: h.topic()}
		if rapid.Bool().Draw(h.t, "to a user") {
			target = events.Target{User: h.user()}
		}
		p.To = append(p.To, target)
	}
	h.published = append(h.published, p)
	return p
}

func (h *history) retract() events.Event {
	p := rapid.SampledFrom(h.published).Draw(h.t, "retracted")
	h.retracted.add(p.NotificationID)
	return events.Retracted{NotificationID: p.NotificationID, To: p.To, Severity: p.Severity}
}

func (h *history) change() events.Event {
	items := events.Items{User: h.user()}
	if rapid.Bool().Draw(h.t, "through") {
		items.Through = events.Position(rapid.IntRange(0, int(h.at)+3).Draw(h.t, "position"))
	} else {
		for _, n := range rapid.SliceOfN(rapid.IntRange(0, len(h.published)), 0, 4).Draw(h.t, "ids") {
			items.IDs = append(items.IDs, nid(n))
		}
	}
	switch rapid.SampledFrom([]string{"seen", "read", "read", "unread", "unread", "archive", "unarchive", "delete"}).Draw(h.t, "change") {
	case "seen":
		return events.ItemsSeen{Items: items}
	case "read":
		return events.ItemsRead{Items: items}
	case "unread":
		return events.ItemsUnread{Items: items}
	case "archive":
		return events.ItemsArchived{Items: items}
	case "unarchive":
		return events.ItemsUnarchived{Items: items}
	default:
		return events.ItemsDeleted{Items: items}
	}
}

// TestAnyCutsGiveTheSameRows: whatever the batches and wherever the projector was
// started anew, the tables are the same, and they are what a naive fold says.
func TestAnyCutsGiveTheSameRows(t *testing.T) {
	t.Parallel()
	conn := fresh(t)
	rapid.Check(t, func(rt *rapid.T) {
		log := drawLog(rt)
		limit := rapid.SampledFrom([]int{0, 1, 2, 1000}).Draw(rt, "store limit")
		whole := foldInto(t, rt, conn, limit, log, len(log))
		cut := foldCut(t, rt, conn, log, func() int { return limit })
		if diff := cmp.Diff(whole, cut); diff != "" {
			rt.Errorf("limit %d: in one batch (-), in several (+):\n%s", limit, diff)
		}
		agreeWithModel(t, rt, conn, log)
	})
}

// agreeWithModel compares the tables with a naive fold of the log.
func agreeWithModel(t *testing.T, rt *rapid.T, conn *pgx.Conn, log []events.Recorded) {
	t.Helper()
	m := newModel()
	var clock inbox.Clock
	var ticks strings.Builder
	for _, r := range log {
		m.apply(r)
		if clock.Pass(r.Position, r.At) {
			fmt.Fprintf(&ticks, "clock: %d %s %d\n", r.Position, clock.Latest.Format("15:04:05.999"), clock.Events)
		}
	}
	if diff := cmp.Diff(m.lines(), inboxLines(t.Context(), rt, conn)); diff != "" {
		rt.Errorf("naive fold (-), tables (+):\n%s", diff)
	}
	if diff := cmp.Diff(linesSorted(ticks.String()), rowsOf(t.Context(), rt, conn, "clock")); diff != "" {
		rt.Errorf("the clock (-), its table (+):\n%s", diff)
	}
	if broken := linesOf(t.Context(), rt, conn, brokenQuery); broken != "" {
		rt.Errorf("the tables contradict themselves:\n%s", broken)
	}
}

func linesSorted(s string) string {
	return strings.Join(slices.Sorted(strings.Lines(s)), "")
}

var fanOutLines = regexp.MustCompile(`(?m)^inbox: .*\n|(stored|joined)$`)

func withoutFanOut(rows string) string { return linesSorted(fanOutLines.ReplaceAllString(rows, "")) }

// TestStoreLimitChangesNothingElse: how far fan-out is stored shows in the inbox
// rows and the targets' flag alone.
func TestStoreLimitChangesNothingElse(t *testing.T) {
	t.Parallel()
	conn := fresh(t)
	rapid.Check(t, func(rt *rapid.T) {
		log := drawLog(rt)
		stored := foldInto(t, rt, conn, math.MaxInt32, log, len(log))
		agreeWithModel(t, rt, conn, log)
		joined := foldInto(t, rt, conn, 0, log, len(log))
		agreeWithModel(t, rt, conn, log)
		moved := foldCut(t, rt, conn, log, func() int {
			return rapid.SampledFrom([]int{0, 1, 2, 1000}).Draw(rt, "store limit")
		})
		agreeWithModel(t, rt, conn, log)
		for what, rows := range map[string]string{"joined": joined, "moved": moved} {
			if diff := cmp.Diff(withoutFanOut(stored), withoutFanOut(rows)); diff != "" {
				rt.Errorf("rows stored (-), %s (+):\n%s", what, diff)
			}
		}
	})
}

// foldCut folds a log in batches of random lengths, each by a projector that was
// just started with a store limit of its own.
func foldCut(t *testing.T, rt *rapid.T, conn *pgx.Conn, log []events.Recorded, limit func() int) string {
	t.Helper()
	empty(t.Context(), rt, conn)
	for len(log) > 0 {
		n := rapid.IntRange(1, min(len(log), 8)).Draw(rt, "batch")
		w := newWriter(t, conn, limit())
		if err := w.apply(t.Context(), spanOf(log[:n])); err != nil {
			rt.Fatal(err)
		}
		log = log[n:]
	}
	return rowsOf(t.Context(), rt, conn)
}

// foldInto folds a log into empty tables, n events a batch.
func foldInto(t *testing.T, rt fataler, conn *pgx.Conn, limit int, log []events.Recorded, n int) string {
	t.Helper()
	empty(t.Context(), rt, conn)
	w := newWriter(t, conn, limit)
	for batch := range slices.Chunk(log, n) {
		if err := w.apply(t.Context(), spanOf(batch)); err != nil {
			rt.Fatal(err)
		}
	}
	return rowsOf(t.Context(), rt, conn)
}

func empty(ctx context.Context, t fataler, conn *pgx.Conn) {
	for _, table := range []string{
		"preferences", "retractions", "changes", "tallies", "marks", "inbox", "user_targets", "audience_targets", "notifications",
		"periods", "audiences", "topics", "users", "clock", "projections",
	} {
		if _, err := conn.Exec(ctx, fmt.Sprintf("delete from %s", table)); err != nil {
			t.Fatal(err)
		}
	}
}
