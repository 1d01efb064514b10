package live

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
)

// world is a log and a read model of it that the tests can hold back, each by
// itself. It folds naively, and from the beginning every time.
type world struct {
	mu         sync.Mutex
	stored     []events.Stored
	recorded   []events.Recorded
	checkpoint events.Position                     // of the read model
	down       error                               // what history answers, if not nil
	headless   error                               // what Head answers, if not nil
	skipped    map[events.Position]events.Position // where it was skipped; the read model never knew it
	poison     []events.Position                   // what cannot be decoded and was not skipped
	asked      []inbox.Ask
	changed    chan struct{}
}

func newWorld() *world {
	return &world{changed: make(chan struct{}), skipped: map[events.Position]events.Position{}}
}

// skip is an operator's order to pass over an event.
func (w *world) skip(at events.Position) (ordered events.Position) {
	w.mu.Lock()
	w.skipped[at] = w.head() + 1
	w.poison = slices.DeleteFunc(w.poison, func(p events.Position) bool { return p == at })
	w.mu.Unlock()
	return w.append(events.EventSkipped{Order: events.Order{Projection: "inbox"}, Position: at}, 0)
}

func (w *world) skips(context.Context) ([]events.Position, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Keys(w.skipped)), nil
}

// unreadable puts an event from the future into the log.
func (w *world) unreadable() (at events.Position) {
	w.set(func() {
		at = w.head() + 1
		w.stored = append(w.stored, events.Stored{Position: at, Type: "FromTheFuture", Metadata: []byte(`{"schema_version":1}`)})
		w.poison = append(w.poison, at)
	})
	return at
}

func (w *world) notify() {
	close(w.changed)
	w.changed = make(chan struct{})
}

// append puts an event into the log, gap above the last.
func (w *world) append(e events.Event, gap int) events.Position {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := w.head() + 1 + events.Position(gap)
	p, err := events.Encode(e, "test", 0, events.Metadata{CommandID: uuid.New()})
	if err != nil {
		panic(err)
	}
	s := events.Stored{
		ID: p.ID, Stream: "test", Position: at, At: time.Now(), Type: p.Type, Data: p.Data, Metadata: p.Metadata,
	}
	r, err := events.Decode(s)
	if err != nil {
		panic(err)
	}
	w.stored, w.recorded = append(w.stored, s), append(w.recorded, r)
	w.notify()
	return at
}

// all appends events and lets the read model see them.
func (w *world) all(list ...events.Event) (at events.Position) {
	for _, e := range list {
		at = w.append(e, 0)
	}
	w.project(at)
	return at
}

func (w *world) project(to events.Position) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.checkpoint = to
}

func (w *world) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
	w.notify()
}

func (w *world) head() events.Position {
	if len(w.stored) == 0 {
		return 0
	}
	return w.stored[len(w.stored)-1].Position
}

func (w *world) Head(context.Context) (events.Position, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.head(), w.headless
}

func (w *world) start(context.Context) (events.Position, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.checkpoint, w.down
}

func (w *world) Subscribe(ctx context.Context, after events.Position) iter.Seq2[events.Message, error] {
	return (&gate{world: w, open: true}).Subscribe(ctx, after)
}

// gate is the log as one hub sees it: up to the position the test lets through.
type gate struct {
	*world

	begun   int             // subscriptions so far
	open    bool            // lets everything through
	upTo    events.Position // while not open
	breaks  bool            // the next read fails, once
	failing func() error    // what a subscription fails with from its beginning, if not nil
}

func (g *gate) Subscribe(ctx context.Context, after events.Position) iter.Seq2[events.Message, error] {
	return func(yield func(events.Message, error) bool) {
		g.set(func() { g.begun++ })
		if g.failing != nil {
			if err := g.failing(); err != nil {
				yield(events.Message{}, err)
				return
			}
		}
		for {
			g.mu.Lock()
			i, _ := slices.BinarySearchFunc(g.stored, after+1, func(s events.Stored, p events.Position) int {
				return int(int64(s.Position) - int64(p))
			})
			changed, fail := g.changed, g.breaks
			g.breaks = false
			var next *events.Stored
			if i < len(g.stored) && (g.open || g.stored[i].Position <= g.upTo) {
				s := g.stored[i]
				next = &s
			}
			g.mu.Unlock()
			switch {
			case fail:
				yield(events.Message{}, errors.New("the subscription broke"))
				return
			case next != nil:
				after = next.Position
				if !yield(events.Message{Event: next}, nil) {
					return
				}
				continue
			}
			select {
			case <-changed:
			case <-ctx.Done():
				yield(events.Message{}, ctx.Err())
				return
			}
		}
	}
}

// told is one thing a user is told, as the naive fold sees it.
type told struct {
	entry inbox.Entry
	gone  events.Position // where a message was retracted or deleted; 0: it was not
	// optional is the retraction of what only a filter kept from the user: live may
	// tell it, as nobody can ask the filter again.
	optional bool
}

// filters are those of the tests, and what they mean.
var filters = map[string]func(events.Published, events.Topic) bool{
	"":                          func(events.Published, events.Topic) bool { return true },
	"severity == 'high'":        func(p events.Published, _ events.Topic) bool { return p.Severity == events.SeverityHigh },
	"title.endsWith('1')":       func(p events.Published, _ events.Topic) bool { return strings.HasSuffix(p.Content.Title, "1") },
	"topic == 'a' || data.x":    func(_ events.Published, topic events.Topic) bool { return topic == "a" },
	"this is not even a filter": func(events.Published, events.Topic) bool { return false },
}

// fold is what the log up to a position means to a user, computed the plain way.
func (w *world) fold(user events.User, upTo events.Position) (list []told, periods []inbox.Period, muted map[events.Topic]bool) {
	following := map[events.Topic]int{}                       // the open period
	had, almost := map[uuid.UUID]bool{}, map[uuid.UUID]bool{} // almost: but for a filter
	finish := func(topic events.Topic, at events.Position) (since events.Position) {
		i, ok := following[topic]
		if !ok {
			return at
		}
		periods[i].Until = at
		delete(following, topic)
		return periods[i].Since
	}
	remove := func(at events.Position, of func(inbox.Item) bool) {
		for i := range list {
			if item := list[i].entry.Item; item != nil && list[i].gone == 0 && of(*item) {
				list[i].gone = at
			}
		}
	}
	for _, r := range w.recorded {
		if r.Position > upTo {
			break
		}
		if w.skipped[r.Position] > 0 {
			if e, ok := r.Event.(events.Published); ok {
				almost[e.NotificationID] = true // live may tell whom it would have reached that it was retracted
			}
			continue
		}
		switch e := r.Event.(type) {
		case events.Subscribed:
			if e.User == user {
				since := finish(e.Topic, r.Position)
				following[e.Topic] = len(periods)
				periods = append(periods, inbox.Period{Topic: e.Topic, From: r.Position, Since: since, Muted: muted[e.Topic], Rules: e.Rules})
			}
		case events.SubscriptionChanged:
			if e.User == user {
				since := finish(e.Topic, r.Position)
				following[e.Topic] = len(periods)
				periods = append(periods, inbox.Period{Topic: e.Topic, From: r.Position, Since: since, Muted: muted[e.Topic], Rules: e.Rules})
			}
		case events.Unsubscribed:
			if e.User == user {
				finish(e.Topic, r.Position)
			}
		case events.PreferencesSet:
			if e.User != user {
				continue
			}
			muted = set(e.MutedTopics)
			for topic, i := range following {
				if p := periods[i]; p.Muted != muted[topic] {
					finish(topic, r.Position)
					following[topic] = len(periods)
					p.From, p.Muted = r.Position, muted[topic]
					periods = append(periods, p)
				}
			}
		case events.Published:
			for _, to := range e.To {
				i, follows := following[to.Topic]
				covered := follows && !muted[to.Topic] && e.Severity >= periods[i].MinSeverity
				almost[e.NotificationID] = almost[e.NotificationID] || covered
				if to.User == user || covered && filters[periods[i].Filter](e, to.Topic) {
					item := inbox.NewItem(r, e, user)
					list = append(list, told{entry: inbox.Entry{Position: r.Position, Item: &item}})
					had[e.NotificationID] = true
					break
				}
			}
		case events.Retracted:
			if had[e.NotificationID] || almost[e.NotificationID] {
				remove(r.Position, func(i inbox.Item) bool { return i.ID == e.NotificationID })
				list = append(list, told{
					entry: inbox.Entry{Position: r.Position, Retracted: &e.NotificationID}, optional: !had[e.NotificationID],
				})
			}
		case events.InboxEvent:
			if e.On().User != user {
				continue
			}
			if _, deleted := e.(events.ItemsDeleted); deleted {
				remove(r.Position, func(i inbox.Item) bool {
					return i.Position <= e.On().Through || slices.Contains(e.On().IDs, i.ID)
				})
			}
			change := inbox.NewChange(e)
			list = append(list, told{entry: inbox.Entry{Position: r.Position, Change: &change}})
		}
	}
	return list, periods, muted
}

func (w *world) history(_ context.Context, ask inbox.Ask) (inbox.Snapshot, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, ask)
	if w.down != nil {
		return inbox.Snapshot{}, w.down
	}
	list, periods, muted := w.fold(ask.User, w.checkpoint)
	s := inbox.Snapshot{Position: w.checkpoint, Through: w.checkpoint, Periods: periods, Muted: slices.Collect(maps.Keys(muted))}
	for _, t := range list {
		gone := t.optional || t.gone != 0 || t.entry.Item != nil && expired(*t.entry.Item)
		if ask.Resume && t.entry.Position > ask.After && !gone || ask.Newest > 0 && t.entry.Item != nil && !gone {
			s.Entries = append(s.Entries, t.entry)
		}
	}
	switch {
	case ask.Resume && ask.Limit > 0 && len(s.Entries) > ask.Limit:
		s.Entries = s.Entries[:ask.Limit]
		s.Through = s.Entries[ask.Limit-1].Position
	case !ask.Resume && len(s.Entries) > ask.Newest:
		s.Entries = s.Entries[len(s.Entries)-ask.Newest:]
	}
	return s, nil
}

func expired(i inbox.Item) bool { return i.ExpiresAt != nil && !time.Now().Before(*i.ExpiresAt) }

// The words of the tests.

func subscribed(user events.User, topic events.Topic, at events.Severity) events.Event {
	return events.Subscribed{User: user, Topic: topic, Rules: events.Rules{MinSeverity: at}}
}

func unsubscribed(user events.User, topic events.Topic) events.Event {
	return events.Unsubscribed{User: user, Topic: topic}
}

func filtered(user events.User, topic events.Topic, filter string) events.Event {
	return events.Subscribed{User: user, Topic: topic, Rules: events.Rules{Filter: filter}}
}

func muted(user events.User, topics ...events.Topic) events.Event {
	return events.PreferencesSet{User: user, Preferences: events.Preferences{MutedTopics: topics}}
}

func published(id int, severity events.Severity, to ...string) events.Event {
	p := events.Published{
		NotificationID: number(id), Severity: severity, Content: events.Content{Title: fmt.Sprintf("n%d", id)},
	}
	for _, text := range to {
		target, err := events.ParseTarget(text)
		if err != nil {
			panic(err)
		}
		p.To = append(p.To, target)
	}
	return p
}

func retracted(id int, at events.Position, severity events.Severity, to ...string) events.Event {
	p, ok := published(id, severity, to...).(events.Published)
	if !ok {
		panic("not a publish")
	}
	return events.Retracted{NotificationID: p.NotificationID, PublishedPosition: at, To: p.To, Severity: severity}
}

func number(id int) uuid.UUID { return uuid.UUID{14: byte(id >> 8), 15: byte(id)} }

// run starts a hub and ends it with the test.
func run(t *testing.T, h *Hub) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the hub ended with %v", err)
		}
	})
}

func (w *world) hub(l Limits) *Hub {
	return &Hub{Source: &gate{world: w, open: true}, History: w.history, Start: w.start, Skipped: w.skips, Limits: l}
}

// next is what a follower hands out until it is silent, as text.
func next(t *testing.T, f *Follower) (list []string) {
	t.Helper()
	for {
		frames, err := f.Next(t.Context(), 10*time.Second)
		if err != nil {
			return append(list, err.Error())
		}
		if len(frames) == 0 {
			return list
		}
		for _, frame := range frames {
			list = append(list, fmt.Sprintf("%d %s %s", frame.Position, frame.Event, frame.Data))
		}
	}
}
