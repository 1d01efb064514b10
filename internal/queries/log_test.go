package queries_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/tidings-io/tidings/internal/events"
)

// storeID names the store of all generated logs.
var storeID = uuid.MustParse("5707e1d0-0000-4000-8000-000000000002")

// began is when every generated log begins; its events are a second apart unless
// the writer says otherwise.
var began = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var (
	users  = []events.User{"alice", "bob", "+821012345678"}
	topics = []events.Topic{"builds", "charts/redis", "été"}
	// the last cannot be evaluated where there is no data
	filters = []string{"", "", "", "severity == 'high'", "sender == 'ci' || topic == 'builds'", "data.n == 1"}
	// clocks stand still, and go back
	lapses = []time.Duration{0, time.Millisecond, 300 * time.Millisecond, time.Second, 3 * time.Second, -2 * time.Second}
)

// writer makes logs that could have come about: nobody unsubscribes who was not
// subscribed, nothing is retracted twice.
type writer struct {
	log        []events.Recorded
	subscribed map[events.User]map[events.Topic]bool
	live       []events.Retracted // what would retract what is published
	ids        []uuid.UUID
	gap        func() uint64
	lapse      func() time.Duration // from one event to the next; a second when nil
	at         time.Time
}

// add appends an event a little further on.
func (w *writer) add(e events.Event) events.Recorded {
	position := events.Position(w.gap())
	if n := len(w.log); n > 0 {
		position += w.log[n-1].Position
	}
	r := events.Recorded{
		ID: uuid.NewSHA1(uuid.Nil, fmt.Append(nil, position)), Stream: stream(e), Position: position,
		At: w.time(), Event: e,
		Metadata: events.Metadata{SchemaVersion: 1},
	}
	for _, before := range w.log {
		if before.Stream == r.Stream {
			r.Revision++
		}
	}
	w.log = append(w.log, r)
	return r
}

// time is that of the next event.
func (w *writer) time() time.Time {
	lapse := time.Second
	if w.lapse != nil {
		lapse = w.lapse()
	}
	if w.at = w.at.Add(lapse); len(w.log) == 0 {
		w.at = began
	}
	return w.at
}

func stream(e events.Event) events.StreamName {
	switch e := e.(type) {
	case events.StoreNamed:
		return events.StoreStream
	case events.Subscribed:
		return events.SubscriptionStream(e.User, e.Topic)
	case events.SubscriptionChanged:
		return events.SubscriptionStream(e.User, e.Topic)
	case events.Unsubscribed:
		return events.SubscriptionStream(e.User, e.Topic)
	case events.Published:
		return events.NotificationStream(e.NotificationID)
	case events.Retracted:
		return events.NotificationStream(e.NotificationID)
	case events.TopicDescribed:
		return events.TopicStream(e.Topic)
	case events.EventSkipped:
		return events.ProjectionStream(e.Projection)
	case events.PreferencesSet:
		return events.ContactStream(e.User)
	case events.InboxEvent:
		return events.InboxStream(e.On().User)
	default:
		panic(fmt.Sprintf("no stream for %T", e))
	}
}

// drawLog is a random log of n events or fewer after its StoreNamed.
func drawLog(t *rapid.T, n int) []events.Recorded {
	w := &writer{
		subscribed: make(map[events.User]map[events.Topic]bool),
		gap:        func() uint64 { return rapid.Uint64Range(1, 9).Draw(t, "gap") },
		lapse:      func() time.Duration { return rapid.SampledFrom(lapses).Draw(t, "lapse") },
	}
	w.add(events.StoreNamed{StoreID: storeID})
	least := min(n, rapid.SampledFrom([]int{0, 20, 60}).Draw(t, "least"))
	step := rapid.Custom(func(t *rapid.T) int { // elements of a slice: what does not matter is left out
		w.step(t)
		return 0
	})
	rapid.SliceOfN(step, least, n).Draw(t, "steps")
	return w.log
}

func (w *writer) step(t *rapid.T) {
	switch rapid.IntRange(0, 17).Draw(t, "kind") {
	case 0, 1, 2:
		w.subscription(t)
	case 3:
		w.mute(t)
	case 4, 5, 6, 7, 8, 9:
		w.publish(t)
	case 10, 11:
		w.retract(t)
	case 12:
		w.add(events.TopicDescribed{
			Topic:       rapid.SampledFrom(topics).Draw(t, "topic"),
			Description: rapid.SampledFrom([]string{"", "what is built", "été"}).Draw(t, "description"),
		})
	default:
		w.mark(t)
	}
}

func (w *writer) subscription(t *rapid.T) {
	user, topic := rapid.SampledFrom(users).Draw(t, "user"), rapid.SampledFrom(topics).Draw(t, "topic")
	if w.subscribed[user] == nil {
		w.subscribed[user] = make(map[events.Topic]bool)
	}
	rules := events.Rules{MinSeverity: drawSeverity(t), Filter: rapid.SampledFrom(filters).Draw(t, "filter")}
	switch {
	case !w.subscribed[user][topic]:
		w.subscribed[user][topic] = true
		w.add(events.Subscribed{User: user, Topic: topic, Rules: rules})
	case rapid.Bool().Draw(t, "change"):
		w.add(events.SubscriptionChanged{User: user, Topic: topic, Rules: rules})
	default:
		w.subscribed[user][topic] = false
		w.add(events.Unsubscribed{User: user, Topic: topic})
	}
}

func (w *writer) mute(t *rapid.T) {
	some := rapid.SliceOfNDistinct(rapid.SampledFrom(topics), 0, len(topics), rapid.ID).Draw(t, "muted")
	slices.Sort(some)
	w.add(events.PreferencesSet{
		User: rapid.SampledFrom(users).Draw(t, "user"), Preferences: events.Preferences{MutedTopics: some},
	})
}

func drawSeverity(t *rapid.T) events.Severity {
	return events.Severity(rapid.Uint8Range(0, 3).Draw(t, "severity"))
}

func (w *writer) publish(t *rapid.T) {
	var everybody []events.Target
	for _, topic := range topics {
		everybody = append(everybody, events.Target{Topic: topic})
	}
	for _, user := range users {
		everybody = append(everybody, events.Target{User: user})
	}
	to := rapid.Permutation(everybody).Draw(t, "to")[:rapid.IntRange(1, 4).Draw(t, "targets")]
	n := len(w.log)
	p := events.Published{
		NotificationID: notificationID(n),
		To:             to, Severity: drawSeverity(t),
		Content: events.Content{Title: fmt.Sprintf("title %d", n)},
	}
	if rapid.Bool().Draw(t, "rich") {
		p.Sender, p.Content.Body, p.Content.Link = "ci", "a body", "https://example.org/"
		p.Content.Data = json.RawMessage(`{"n":1,"of":["été"]}`)
	}
	if rapid.IntRange(0, 3).Draw(t, "expires") == 0 {
		at := rapid.SampledFrom([]time.Time{began.Add(time.Hour), began.Add(2 * time.Hour), began, w.at, w.at.Add(time.Millisecond), w.at.Add(900 * time.Millisecond), w.at.Add(3 * time.Second)}).Draw(t, "expiry")
		p.ExpiresAt = &at
	}
	w.live = append(w.live, events.Retracted{
		NotificationID: p.NotificationID, PublishedPosition: w.add(p).Position, To: p.To, Severity: p.Severity,
	})
	w.ids = append(w.ids, p.NotificationID)
}

// notificationID is that of the notification which is the nth event.
func notificationID(n int) uuid.UUID {
	return uuid.NewSHA1(uuid.Nil, fmt.Append(nil, "notification", n))
}

func (w *writer) retract(t *rapid.T) {
	if len(w.live) == 0 {
		return
	}
	i := rapid.IntRange(0, len(w.live)-1).Draw(t, "retracted")
	w.add(w.live[i])
	w.live = append(w.live[:i:i], w.live[i+1:]...)
}

func (w *writer) mark(t *rapid.T) {
	items := events.Items{User: rapid.SampledFrom(users).Draw(t, "user")}
	last := w.log[len(w.log)-1].Position
	if rapid.IntRange(0, 3).Draw(t, "through") == 0 {
		items.Through = rapid.SampledFrom([]events.Position{last, last + 40, max(1, last/2)}).Draw(t, "through position")
	} else {
		ids := append([]uuid.UUID{notificationID(len(w.log) + 2)}, w.ids...) // one that may come later
		items.IDs = rapid.SliceOfNDistinct(rapid.SampledFrom(ids), 1, min(3, len(ids)), rapid.ID).Draw(t, "ids")
	}
	w.add(rapid.SampledFrom([]events.Event{
		events.ItemsSeen{Items: items}, events.ItemsRead{Items: items}, events.ItemsUnread{Items: items},
		events.ItemsArchived{Items: items}, events.ItemsUnarchived{Items: items}, events.ItemsDeleted{Items: items},
	}).Draw(t, "change"))
}
