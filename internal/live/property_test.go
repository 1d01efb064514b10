package live

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
)

// TestEveryReaderIsToldWhatTheLogSays: two hubs with tiny windows and queues, a
// read model and subscriptions that lag, fail and jump back, and readers that
// connect, read slowly, leave and come back to either hub, at random moments.
// Each reader is told exactly what a naive fold of the log says, once, in order.
func TestEveryReaderIsToldWhatTheLogSays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := drawScript(rt)
		var failure string
		synctest.Test(t, func(t *testing.T) { failure = s.play(t) })
		if failure != "" {
			rt.Fatalf("%s\n%s", failure, s)
		}
	})
}

type script struct {
	limits Limits
	steps  []step
	final  int // where the read model ends: so many events below the head
}

// step is one thing that happens; what the numbers mean depends on do.
type step struct {
	do   string
	a, b int
	n    int
	to   []string
}

func (s script) String() string {
	text := fmt.Sprintf("%+v, the read model %d behind at the end\n", s.limits, s.final)
	for _, st := range s.steps {
		text += fmt.Sprintf("  %+v\n", st)
	}
	return text
}

var doings = []string{
	"publish", "publish", "publish", "publish", "expiring", "retract", "subscribe", "subscribe", "change", "unsubscribe", "mute", "mute",
	"read", "delete", "delete through", "project", "project", "connect", "connect", "leave", "drain", "drain",
	"hold", "open", "break", "postgres", "settle", "settle", "time", "other", "skip", "poison",
}

func drawScript(rt *rapid.T) script {
	return script{
		limits: Limits{
			WindowEvents: rapid.IntRange(1, 12).Draw(rt, "window"), QueueFrames: rapid.IntRange(1, 5).Draw(rt, "queue"),
			page: rapid.IntRange(1, 3).Draw(rt, "page"), join: rapid.IntRange(1, 3).Draw(rt, "join"),
			GapWait: 2 * time.Second, MaxLag: time.Hour,
		},
		final: rapid.IntRange(0, 20).Draw(rt, "final lag"),
		steps: rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) step {
			targets := []string{"topic:a", "topic:b", "user:u0", "user:u1"}
			return step{
				do: rapid.SampledFrom(doings).Draw(rt, "do"),
				a:  rapid.IntRange(0, 3).Draw(rt, "a"), b: rapid.IntRange(0, 1).Draw(rt, "b"), n: rapid.IntRange(0, 9).Draw(rt, "n"),
				to: rapid.SliceOfNDistinct(rapid.SampledFrom(targets), 1, 3, rapid.ID).Draw(rt, "to"),
			}
		}), 30, 200).Draw(rt, "steps"),
	}
}

// client is one reader over all its connections.
type client struct {
	user    events.User
	f       *Follower
	hub     int
	begun   bool
	start   events.Position // told it goes on from here when it first connected
	skipped events.Position // history=N: up to here only the newest items
	last    events.Position
	frames  []Frame
}

func (s script) play(t *testing.T) (failure string) {
	w := newWorld()
	gates := []*gate{{world: w, open: true}, {world: w, open: true}}
	hubs := make([]*Hub, len(gates))
	for i, g := range gates {
		hubs[i] = &Hub{Source: g, History: w.history, Start: w.start, Skipped: w.skips, Limits: s.limits}
		run(t, hubs[i])
	}
	clients := make([]*client, 4)
	for i := range clients {
		clients[i] = &client{user: events.User(fmt.Sprintf("u%d", i%2))}
		defer func() {
			if clients[i].f != nil {
				clients[i].f.Close()
			}
		}()
	}
	synctest.Wait()
	for _, st := range s.steps {
		if failure = s.take(t, st, w, gates, hubs, clients); failure != "" {
			return failure
		}
	}
	for _, at := range slices.Clone(w.poison) {
		w.skip(at)
	}
	w.set(func() {
		w.down = nil
		for _, g := range gates {
			g.open, g.breaks = true, false
		}
		w.checkpoint = 0
		if n := len(w.recorded) - s.final; n > 0 {
			w.checkpoint = w.recorded[n-1].Position
		}
	})
	time.Sleep(5 * time.Second) // a halted hub looks every second
	for _, c := range clients {
		if !c.begun {
			continue
		}
		if failure = c.connect(t, hubs, c.hub, ""); failure == "" {
			failure = c.drain(t, w, 10*time.Minute)
		}
		if failure == "" {
			failure = c.judge(w)
		}
		if failure != "" {
			return failure
		}
	}
	for _, h := range hubs {
		if failure = h.check(w); failure != "" {
			return failure
		}
	}
	return ""
}

// check compares what a hub that has folded everything knows with the naive fold.
func (h *Hub) check(w *world) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	indexed := 0
	for user, m := range h.members {
		_, want, muted := w.fold(user, w.head())
		if !maps.Equal(m.muted, muted) {
			return fmt.Sprintf("the hub knows %v as muted by %s, and not %v", m.muted, user, muted)
		}
		for topic, ms := range m.topics {
			for _, p := range ms.periods {
				if len(want) == 0 || !slices.Contains(want, p) {
					return fmt.Sprintf("the hub knows the period %+v of %s, which the log does not say: %+v", p, user, want)
				}
				want = slices.DeleteFunc(want, func(other inbox.Period) bool { return other == p })
			}
			if h.topics[topic][m] != ms {
				return fmt.Sprintf("%s is not found by topic %s", user, topic)
			}
			indexed++
		}
		if len(want) > 0 || len(m.readers) == 0 {
			return fmt.Sprintf("the hub does not know %+v of %s, who has %d readers", want, user, len(m.readers))
		}
	}
	for _, of := range h.topics {
		if indexed -= len(of); len(of) == 0 {
			return "a topic nobody is under"
		}
	}
	if indexed != 0 {
		return "users who are gone are still under topics"
	}
	for i, e := range h.window.kept {
		if i > 0 && e.position <= h.window.kept[i-1].position {
			return "the window is out of order"
		}
	}
	return ""
}

func (s script) take(t *testing.T, st step, w *world, gates []*gate, hubs []*Hub, clients []*client) (failure string) {
	user := events.User(fmt.Sprintf("u%d", st.b))
	topic := events.Topic([]string{"a", "b"}[st.a%2])
	severity := events.Severity(st.a)
	filter := slices.Sorted(maps.Keys(filters))[st.n/2]
	id := len(w.recorded)
	items := events.Items{User: user}
	if id > 0 {
		items.IDs = append(items.IDs, number(id-1-st.n%id))
	}
	c := clients[st.a]
	switch st.do {
	case "publish":
		w.append(published(id, severity, st.to...), st.n%3)
	case "expiring":
		p, _ := published(id, severity, st.to...).(events.Published)
		expires := time.Now().Add(time.Duration(st.n) * time.Second).UTC()
		p.ExpiresAt = &expires
		w.append(p, 0)
	case "retract":
		for i := len(w.recorded) - 1 - st.n; i >= 0; i-- {
			if p, ok := w.recorded[i].Event.(events.Published); ok && !w.retracted(p) {
				w.append(events.Retracted{
					NotificationID: p.NotificationID, PublishedPosition: w.recorded[i].Position, To: p.To, Severity: p.Severity,
				}, 0)
				break
			}
		}
	case "subscribe", "change", "unsubscribe":
		following := w.following(user, topic)
		switch {
		case st.do == "subscribe" && !following:
			w.append(events.Subscribed{User: user, Topic: topic, Rules: events.Rules{MinSeverity: severity / 2, Filter: filter}}, 0)
		case st.do == "change" && following:
			w.append(events.SubscriptionChanged{User: user, Topic: topic, Rules: events.Rules{MinSeverity: severity, Filter: filter}}, 0)
		case st.do == "unsubscribe" && following:
			w.append(unsubscribed(user, topic), 0)
		}
	case "mute":
		w.append(muted(user, [][]events.Topic{nil, {"a"}, {"b"}, {"a", "b", "never heard of"}}[st.a]...), 0)
	case "read":
		w.append(events.ItemsRead{Items: items}, 0)
	case "delete":
		w.append(events.ItemsDeleted{Items: items}, 0)
	case "delete through":
		w.append(events.ItemsDeleted{Items: events.Items{User: user, Through: w.head()/2 + 1}}, 0)
	case "skip":
		w.skipOne(st.n)
	case "poison":
		if st.n == 0 {
			w.unreadable()
		}
	case "other":
		w.append(events.TopicDescribed{Topic: topic}, st.n)
	case "project": // mostly forwards; a crash of Postgres takes it back
		if n := len(w.recorded) - st.n; n > 0 {
			w.project(w.recorded[n-1].Position)
		}
	case "connect":
		form := []string{Earliest, "", "history"}[st.n%3]
		failure = c.connect(t, hubs, st.b, form)
	case "leave":
		c.leave()
	case "drain":
		failure = c.drain(t, w, time.Duration(st.n)*100*time.Millisecond)
	case "hold":
		w.set(func() { gates[st.b].open, gates[st.b].upTo = false, w.head() })
	case "open":
		w.set(func() { gates[st.b].open = true })
	case "break":
		w.set(func() { gates[st.b].breaks = true })
	case "postgres":
		w.set(func() {
			if w.down = nil; st.b == 1 {
				w.down = errors.New("postgres is away")
			}
		})
	case "settle":
		synctest.Wait()
	case "time":
		time.Sleep(time.Duration(st.n) * 300 * time.Millisecond)
	}
	return failure
}

// skipOne skips what cannot be read or, where there is nothing, one of the latest
// events; never one that took something away, as nobody can tell again what was
// not told for its sake.
func (w *world) skipOne(n int) {
	if len(w.poison) > 0 {
		w.skip(w.poison[0])
		return
	}
	for i := len(w.recorded) - 1 - n; i >= 0; i-- {
		switch r := w.recorded[i]; r.Event.(type) {
		case events.SubscriptionEvent, events.Published, events.PreferencesSet, events.ItemsRead:
			if w.skipped[r.Position] == 0 {
				w.skip(r.Position)
				return
			}
		}
	}
}

// doubtful says whether live may have told something else of the position: it lies
// between an event and the order to skip it.
func (w *world) doubtful(at events.Position) bool {
	for from, until := range w.skipped {
		if from <= at && at < until {
			return true
		}
	}
	return false
}

func (w *world) retracted(p events.Published) bool {
	for _, r := range w.recorded {
		if e, ok := r.Event.(events.Retracted); ok && e.NotificationID == p.NotificationID {
			return true
		}
	}
	return false
}

func (w *world) following(user events.User, topic events.Topic) bool {
	_, periods, _ := w.fold(user, w.head())
	for _, p := range periods {
		if p.Topic == topic && p.Until == 0 {
			return true
		}
	}
	return false
}

func (c *client) leave() {
	if c.f != nil {
		c.f.Close()
		c.f = nil
	}
}

// connect leaves any connection and comes to a hub, for the first time in the
// form given and then with the last id it was told.
func (c *client) connect(t *testing.T, hubs []*Hub, hub int, form string) string {
	c.leave()
	req := FollowRequest{User: c.user}
	switch {
	case c.begun:
		req.LastEventID = c.last.String()
	case form == "history":
		req.Newest = 2
	default:
		req.LastEventID = form
	}
	checkpoint, _ := hubs[hub].Start(t.Context())
	f, err := hubs[hub].Follow(t.Context(), req)
	switch {
	case errors.Is(err, ErrUnavailable):
		return ""
	case err != nil:
		return fmt.Sprintf("%s follows: %v", c.user, err)
	case f.Reset != "":
		return fmt.Sprintf("%s comes with %q: %s", c.user, req.LastEventID, f.Reset)
	case c.begun && f.Position != c.last:
		return fmt.Sprintf("%s resumes at %d, not %d", c.user, f.Position, c.last)
	case !c.begun:
		c.begun, c.start, c.last = true, f.Position, f.Position
		if req.Newest > 0 {
			c.skipped = checkpoint
		}
	}
	c.f, c.hub = f, hub
	return ""
}

// drain reads until the follower is silent.
func (c *client) drain(t *testing.T, w *world, silence time.Duration) string {
	for c.f != nil {
		frames, err := c.f.Next(t.Context(), silence)
		if err != nil {
			if errors.Is(err, ErrEnded) || errors.Is(err, ErrUnavailable) && len(w.poison) > 0 { // halted
				c.leave()
				return ""
			}
			return fmt.Sprintf("%s is told %v", c.user, err)
		}
		if len(frames) == 0 {
			return ""
		}
		for _, f := range frames {
			c.frames = append(c.frames, *f)
			c.last = f.Position
		}
	}
	return ""
}

// judge compares what the client was told with the naive fold.
func (c *client) judge(w *world) string {
	list, _, _ := w.fold(c.user, w.head())
	at := c.start
	for i, f := range c.frames {
		if i > 0 && f.Position <= c.frames[i-1].Position {
			return fmt.Sprintf("%s was told %d after %d", c.user, f.Position, c.frames[i-1].Position)
		}
	}
	got := slices.DeleteFunc(c.frames, func(f Frame) bool { return w.doubtful(f.Position) })
	for _, want := range list {
		if want.entry.Position <= c.start || w.doubtful(want.entry.Position) {
			continue
		}
		for len(got) > 0 && got[0].Position < want.entry.Position {
			return fmt.Sprintf("%s was told %s %d %s, which the log does not say, or late", c.user, got[0].Event, got[0].Position, got[0].Data)
		}
		if len(got) > 0 && got[0].Position == want.entry.Position {
			if got[0].Position <= at {
				return fmt.Sprintf("%s was told %d after %d", c.user, got[0].Position, at)
			}
			if f := entryFrame(want.entry); f.Event != got[0].Event || !bytes.Equal(f.Data, got[0].Data) {
				return fmt.Sprintf("%s was told %s, not %s", c.user, got[0].Data, f.Data)
			}
			at, got = got[0].Position, got[1:]
			continue
		}
		item := want.entry.Item
		if want.optional || item != nil && (want.gone != 0 || expired(*item)) || want.entry.Position <= c.skipped {
			continue
		}
		return fmt.Sprintf("%s was not told of %d: %s", c.user, want.entry.Position, entryFrame(want.entry).Data)
	}
	if len(got) > 0 {
		return fmt.Sprintf("%s was told %d %s, which the log does not say", c.user, got[0].Position, got[0].Data)
	}
	return ""
}
