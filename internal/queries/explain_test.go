package queries_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
	"github.com/tidings-io/tidings/internal/queries"
)

// told is a log whose streams can be read, written by a test.
type told struct {
	log   []events.Stored
	reads int
}

// tell records events at positions 10, 20, 30 …, a second apart.
func tell(evs ...events.Event) *told {
	l := new(told)
	for _, e := range evs {
		l.add(e, streamFor(e))
	}
	return l
}

func (l *told) add(e events.Event, stream events.StreamName) {
	n := len(l.log)
	p, err := events.Encode(e, stream, n, events.Metadata{Attempt: uuid.Nil, Actor: "desk", CorrelationID: fmt.Sprint("request-", n)})
	if err != nil {
		panic(err)
	}
	s := events.Stored{
		ID: p.ID, Stream: stream, Position: events.Position(n+1) * 10, At: began.Add(time.Duration(n) * time.Second),
		Type: p.Type, Data: p.Data, Metadata: p.Metadata,
	}
	for _, before := range l.log {
		if before.Stream == stream {
			s.Revision++
		}
	}
	l.log = append(l.log, s)
}

func (l *told) Read(_ context.Context, stream events.StreamName, from events.Revision) iter.Seq2[events.Stored, error] {
	l.reads++
	return func(yield func(events.Stored, error) bool) {
		for _, s := range l.log {
			if s.Stream == stream && s.Revision >= from && !yield(s, nil) {
				return
			}
		}
	}
}

// explain asks at a time after everything that is told.
func (l *told) explain(t *testing.T, user events.User) queries.Explanation {
	t.Helper()
	q := queries.New(nil, queries.Options{Streams: l, Now: func() time.Time { return began.Add(time.Hour) }})
	e, err := q.Explain(t.Context(), noticeID, user)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func streamFor(e events.Event) events.StreamName {
	switch e := e.(type) {
	case events.Subscribed:
		return events.SubscriptionStream(e.User, e.Topic)
	case events.SubscriptionChanged:
		return events.SubscriptionStream(e.User, e.Topic)
	case events.Unsubscribed:
		return events.SubscriptionStream(e.User, e.Topic)
	case events.Published:
		return events.BirthStream(e.NotificationID)
	case events.Retracted:
		return events.NotificationStream(e.NotificationID)
	case events.PreferencesSet:
		return events.ContactStream(e.User)
	case events.EventSkipped:
		return events.ProjectionStream(e.Projection)
	case events.InboxEvent:
		return events.InboxStream(e.On().User)
	default:
		panic(fmt.Sprintf("no stream for %T", e))
	}
}

var (
	toldUsers  = []events.User{"alice", "bob", "+821012345678"}
	toldTopics = []events.Topic{"builds", "charts/redis", "été"}
)

var noticeID = uuid.MustParse("11111111-1111-4111-8111-111111111111")

func notice(targets ...string) events.Published {
	p := events.Published{
		NotificationID: noticeID, Severity: events.SeverityNormal,
		Content: events.Content{Title: "t", Data: json.RawMessage(`{"region":"eu"}`)},
	}
	for _, text := range targets {
		to, err := events.ParseTarget(text)
		if err != nil {
			panic(err)
		}
		p.To = append(p.To, to)
	}
	return p
}

func subscribed(topic events.Topic, lowest events.Severity, filter string) events.Subscribed {
	return events.Subscribed{User: "alice", Topic: topic, Rules: events.Rules{MinSeverity: lowest, Filter: filter}}
}

func mutes(topics ...events.Topic) events.PreferencesSet {
	return events.PreferencesSet{User: "alice", Preferences: events.Preferences{MutedTopics: topics}}
}

// sentences are an explanation as people read it: the verdict, then a line a step,
// with * before those that decide, and one for each target.
func sentences(e queries.Explanation) string {
	lines := []string{e.Verdict}
	for _, s := range e.Steps {
		decides := " "
		if s.Decides {
			decides = "*"
		}
		lines = append(lines, fmt.Sprintf("%s%s %s: %s", decides, s.Position, s.Type, s.Finding))
		for _, to := range s.Targets {
			lines = append(lines, fmt.Sprintf("     %s %v: %s", to.Target, to.Reached, to.Finding))
		}
	}
	return strings.Join(lines, "\n")
}

func TestExplanations(t *testing.T) {
	t.Parallel()
	low, high := events.SeverityLow, events.SeverityHigh
	items := events.Items{User: "alice", IDs: []uuid.UUID{noticeID}}
	expiring := notice("user:alice")
	expiring.ExpiresAt = new(began.Add(time.Minute))
	left := events.Unsubscribed{User: "alice", Topic: "builds"}
	for rule, c := range map[string]struct {
		log  []events.Event
		want string
	}{
		"who is named gets it": {
			[]events.Event{notice("user:alice", "user:bob")},
			`alice got it, being named
*10 Published: published with severity normal
     user:alice true: named`,
		},
		"what is for others stays theirs": {
			[]events.Event{notice("user:bob", "user:carol")},
			`alice did not get it: it was for others by name
*10 Published: published with severity normal, to others by name`,
		},
		"a subscriber gets it": {
			[]events.Event{subscribed("builds", low, ""), notice("topic:builds")},
			`alice got it, being subscribed to builds
*10 Subscribed: subscribed here with min_severity low
*20 Published: published with severity normal
     topic:builds true: subscribed, and severity normal is enough`,
		},
		"severity decides": {
			[]events.Event{
				subscribed("builds", low, ""), events.SubscriptionChanged{User: "alice", Topic: "builds", Rules: events.Rules{MinSeverity: high}},
				notice("topic:builds"),
			},
			`alice did not get it: by topic builds it did not come: severity normal is below min_severity high
 10 Subscribed: subscribed here with min_severity low
*20 SubscriptionChanged: changed the subscription here with min_severity high; severity normal is below min_severity high
*30 Published: published with severity normal
     topic:builds false: severity normal is below min_severity high`,
		},
		"a filter that matched": {
			[]events.Event{subscribed("builds", low, `data.region == "eu"`), notice("topic:builds")},
			`alice got it, being subscribed to builds
*10 Subscribed: subscribed here with min_severity low and the filter data.region == "eu"
*20 Published: published with severity normal
     topic:builds true: subscribed, severity normal is enough, and the filter data.region == "eu" matched`,
		},
		"a filter that did not match": {
			[]events.Event{subscribed("builds", low, `data.region == "us"`), notice("topic:builds")},
			`alice did not get it: by topic builds it did not come: the filter data.region == "us" did not match
*10 Subscribed: subscribed here with min_severity low and the filter data.region == "us"; the filter data.region == "us" did not match
*20 Published: published with severity normal
     topic:builds false: the filter data.region == "us" did not match`,
		},
		"a filter that cannot be evaluated": {
			[]events.Event{subscribed("builds", low, `data.zone == 1`), notice("topic:builds")},
			`alice did not get it: by topic builds it did not come: the filter data.zone == 1 could not be evaluated, which is no match: evaluate the filter: no such key: zone
*10 Subscribed: subscribed here with min_severity low and the filter data.zone == 1; the filter data.zone == 1 could not be evaluated, which is no match: evaluate the filter: no such key: zone
*20 Published: published with severity normal
     topic:builds false: the filter data.zone == 1 could not be evaluated, which is no match: evaluate the filter: no such key: zone`,
		},
		"a mute": {
			[]events.Event{subscribed("builds", low, ""), mutes("x"), mutes("builds", "x"), mutes("builds"), notice("topic:builds"), mutes()},
			`alice did not get it: by topic builds it did not come: the topic was muted since position 30
 10 Subscribed: subscribed here with min_severity low
*30 PreferencesSet: muted the topic here
*50 Published: published with severity normal
     topic:builds false: the topic was muted since position 30`,
		},
		"a mute that was over": {
			[]events.Event{subscribed("builds", low, ""), mutes("builds"), mutes(), notice("topic:builds")},
			`alice got it, being subscribed to builds
*10 Subscribed: subscribed here with min_severity low
*40 Published: published with severity normal
     topic:builds true: subscribed, and severity normal is enough`,
		},
		"never subscribed": {
			[]events.Event{events.Subscribed{User: "bob", Topic: "builds"}, notice("topic:builds")},
			`alice did not get it: by topic builds it did not come: not subscribed
*20 Published: published with severity normal
     topic:builds false: not subscribed`,
		},
		"subscribed only later": {
			[]events.Event{notice("topic:builds"), subscribed("builds", high, "")},
			`alice did not get it: by topic builds it did not come: subscribed only after the publish, at position 20
*10 Published: published with severity normal
     topic:builds false: subscribed only after the publish, at position 20
*20 Subscribed: subscribed here with min_severity high, after the publish`,
		},
		"unsubscribed before, and back later": {
			[]events.Event{subscribed("builds", low, ""), left, notice("topic:builds"), subscribed("builds", low, "")},
			`alice did not get it: by topic builds it did not come: unsubscribed before the publish, at position 20
 10 Subscribed: subscribed here with min_severity low
*20 Unsubscribed: unsubscribed here, before the publish
*30 Published: published with severity normal
     topic:builds false: unsubscribed before the publish, at position 20
 40 Subscribed: subscribed here with min_severity low, after the publish`,
		},
		"the topic that came nearest gives the reason": {
			[]events.Event{subscribed("builds", high, ""), notice("topic:charts", "topic:builds", "user:bob")},
			`alice did not get it: by topic builds it did not come: severity normal is below min_severity high; nor by 1 more
*10 Subscribed: subscribed here with min_severity high; severity normal is below min_severity high
*20 Published: published with severity normal
     topic:charts false: not subscribed
     topic:builds false: severity normal is below min_severity high`,
		},
		"what did not help does not decide": {
			[]events.Event{subscribed("builds", high, ""), subscribed("charts", low, ""), notice("topic:charts", "topic:builds", "topic:charts")},
			`alice got it, being subscribed to charts
 10 Subscribed: subscribed here with min_severity high; severity normal is below min_severity high
*20 Subscribed: subscribed here with min_severity low
*30 Published: published with severity normal
     topic:charts true: subscribed, and severity normal is enough
     topic:builds false: severity normal is below min_severity high`,
		},
		"changes that changed something are told": {
			[]events.Event{
				events.ItemsRead{Items: items}, notice("user:alice"), events.ItemsRead{Items: events.Items{User: "alice", Through: 20}},
				events.ItemsRead{Items: items}, events.ItemsSeen{Items: events.Items{User: "alice", Through: 19}},
				events.ItemsUnread{Items: items}, events.ItemsDeleted{Items: items}, events.ItemsSeen{Items: items},
			},
			`alice got it, being named, and deleted it at 2026-03-01T12:00:06Z
*20 Published: published with severity normal
     user:alice true: named
 30 ItemsRead: the user's change: read, of all up to position 20
 60 ItemsUnread: the user's change: unread
*70 ItemsDeleted: the user's change: delete`,
		},
		"retracted since": {
			[]events.Event{
				notice("user:alice"), events.Retracted{NotificationID: noticeID}, events.ItemsSeen{Items: items},
			},
			`alice got it, being named; it was retracted at 2026-03-01T12:00:01Z
*10 Published: published with severity normal
     user:alice true: named
*20 Retracted: retracted here: it left every inbox`,
		},
		"expired since": {
			[]events.Event{expiring},
			`alice got it, being named; it expired at 2026-03-01T12:01:00Z
*10 Published: published with severity normal
     user:alice true: named`,
		},
		"an operator passed over the publish": {
			[]events.Event{notice("user:alice"), events.EventSkipped{Order: events.Order{Projection: "inbox", Reason: "broken"}, Position: 10}},
			`alice did not get it: an operator had the publish passed over
*10 Published: published with severity normal
     user:alice true: named
*20 EventSkipped: an operator had the publish passed over, as it could not be applied`,
		},
		"an operator passed over the subscription": {
			[]events.Event{
				subscribed("builds", low, ""), notice("topic:builds"),
				events.EventSkipped{Order: events.Order{Projection: "inbox"}, Position: 10},
			},
			`alice did not get it: by topic builds it did not come: not subscribed
*20 Published: published with severity normal
     topic:builds false: not subscribed`,
		},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, sentences(tell(c.log...).explain(t, "alice"))); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
		})
	}
}

// TestExplanationInFull pins the form of an answer, for a notification of a batch.
func TestExplanationInFull(t *testing.T) {
	t.Parallel()
	batch := events.BatchID(noticeID)
	one, other := notice("topic:builds", "user:bob"), notice("user:alice")
	one.NotificationID, other.NotificationID = events.BatchEntryID(batch, 1), events.BatchEntryID(batch, 0)
	l := tell(
		subscribed("builds", events.SeverityLow, ""), other, one,
		events.ItemsRead{Items: events.Items{User: "alice", Through: 30}},
		events.Retracted{NotificationID: one.NotificationID},
	)
	q := queries.New(nil, queries.Options{Streams: l, Now: func() time.Time { return began }})
	e, err := q.Explain(t.Context(), one.NotificationID, "alice")
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(e, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	want := `{
 "notification_id": "11111111-1111-8111-8111-111111111001",
 "user": "alice",
 "received": true,
 "verdict": "alice got it, being subscribed to builds; it was retracted at 2026-03-01T12:00:04Z",
 "position": "30",
 "to": [
  "topic:builds"
 ],
 "steps": [
  {
   "position": "10",
   "type": "Subscribed",
   "stream": "subscription-alice/builds",
   "revision": 0,
   "at": "2026-03-01T12:00:00Z",
   "actor": "desk",
   "correlation_id": "request-0",
   "topic": "builds",
   "finding": "subscribed here with min_severity low",
   "decides": true
  },
  {
   "position": "30",
   "type": "Published",
   "stream": "batch-11111111-1111-8111-8111-111111111000",
   "revision": 1,
   "at": "2026-03-01T12:00:02Z",
   "actor": "desk",
   "correlation_id": "request-2",
   "finding": "published with severity normal",
   "decides": true,
   "targets": [
    {
     "target": "topic:builds",
     "reached": true,
     "finding": "subscribed, and severity normal is enough"
    }
   ]
  },
  {
   "position": "40",
   "type": "ItemsRead",
   "stream": "inbox-alice",
   "revision": 0,
   "at": "2026-03-01T12:00:03Z",
   "actor": "desk",
   "correlation_id": "request-3",
   "finding": "the user's change: read, of all up to position 30",
   "decides": false
  },
  {
   "position": "50",
   "type": "Retracted",
   "stream": "notification-11111111-1111-8111-8111-111111111001",
   "revision": 0,
   "at": "2026-03-01T12:00:04Z",
   "actor": "desk",
   "correlation_id": "request-4",
   "finding": "retracted here: it left every inbox",
   "decides": true
  }
 ],
 "state": {
  "read_at": "2026-03-01T12:00:03Z",
  "retracted_at": "2026-03-01T12:00:04Z",
  "retracted": true,
  "expired": false
 }
}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}

func TestExplainingWhatIsNotThere(t *testing.T) {
	t.Parallel()
	l := tell(notice("user:alice"))
	q := queries.New(nil, queries.Options{Streams: l})
	if _, err := q.Explain(t.Context(), uuid.New(), "alice"); !errors.Is(err, queries.ErrNotFound) {
		t.Errorf("got %v, want %v", err, queries.ErrNotFound)
	}
}

// TestExplainFindsThePublishInALongInbox: what a user did before it is not read.
func TestExplainFindsThePublishInALongInbox(t *testing.T) {
	t.Parallel()
	for _, before := range []int{0, 1, 2, 500} {
		l := new(told)
		for range before {
			l.add(events.ItemsSeen{Items: events.Items{User: "alice", Through: 5}}, "inbox-alice")
		}
		l.add(notice("user:alice"), streamFor(notice()))
		l.add(events.ItemsSeen{Items: events.Items{User: "alice", Through: 1 << 40}}, "inbox-alice")
		e := l.explain(t, "alice")
		if got, want := len(e.Steps), 2; got != want || e.State.SeenAt == nil {
			t.Errorf("%d steps and seen at %v after %d changes, want %d", got, e.State.SeenAt, before, want)
		}
		if l.reads > 30 {
			t.Errorf("%d reads for %d changes", l.reads, before)
		}
	}
}

// TestExplainSaysWhatABookSays: for any log, each notification and each user, the
// answer is that of a fold of the whole log.
func TestExplainSaysWhatABookSays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l, ids := drawTold(t)
		shelf := inbox.NewShelf(toldUsers...)
		for _, s := range l.log {
			r, err := events.Decode(s)
			if err != nil {
				t.Fatal(err)
			}
			shelf.Apply(r)
		}
		now := began.Add(30 * time.Second)
		q := queries.New(nil, queries.Options{Streams: l, Now: func() time.Time { return now }})
		for _, id := range ids {
			for _, user := range toldUsers {
				e, err := q.Explain(context.Background(), id, user)
				if err != nil {
					t.Fatal(err)
				}
				agree(t, e, shelf.Book(user), now)
			}
		}
	})
}

func agree(t *rapid.T, e queries.Explanation, book *inbox.Book, now time.Time) {
	if e.Received != book.Received(e.NotificationID) {
		t.Fatalf("%s\nbut received is %v", sentences(e), !e.Received)
	}
	var item *inbox.Item
	for _, i := range book.Items(now, inbox.Retention{}) {
		if i.ID == e.NotificationID {
			item = &i
		}
	}
	s := e.State
	there := e.Received && !s.Retracted && !s.Expired && s.DeletedAt == nil
	if there != (item != nil) {
		t.Fatalf("%s\nbut being there is %v", sentences(e), !there)
	}
	if item == nil {
		return
	}
	got, want := [3]*time.Time{s.SeenAt, s.ReadAt, s.ArchivedAt}, [3]*time.Time{item.SeenAt, item.ReadAt, item.ArchivedAt}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s\nmarks want (-), got (+):\n%s", sentences(e), diff)
	}
}

// drawTold is a random log with filters and mutes, and the notifications in it.
func drawTold(t *rapid.T) (*told, []uuid.UUID) {
	d := drawn{t: t, l: new(told), subscribed: map[string]bool{}}
	for range rapid.IntRange(1, 60).Draw(t, "events") {
		e := d.event(rapid.SampledFrom([]string{"pair", "pair", "mute", "publish", "publish", "mark", "mark", "retract"}).Draw(t, "kind"))
		if e != nil {
			d.l.add(e, streamFor(e))
		}
	}
	return d.l, d.ids
}

type drawn struct {
	t          *rapid.T
	l          *told
	subscribed map[string]bool
	ids        []uuid.UUID
}

func (d *drawn) user() events.User   { return rapid.SampledFrom(toldUsers).Draw(d.t, "user") }
func (d *drawn) topic() events.Topic { return rapid.SampledFrom(toldTopics).Draw(d.t, "topic") }

func (d *drawn) severity() events.Severity {
	return events.Severity(rapid.Uint8Range(0, 3).Draw(d.t, "severity"))
}

func (d *drawn) event(kind string) events.Event {
	switch kind {
	case "pair":
		return d.pair(d.user(), d.topic())
	case "mute":
		muted := rapid.SliceOfNDistinct(rapid.SampledFrom(toldTopics), 0, 2, rapid.ID).Draw(d.t, "muted")
		return events.PreferencesSet{User: d.user(), Preferences: events.Preferences{MutedTopics: muted}}
	case "publish":
		return d.publish()
	case "retract":
		if len(d.ids) > 0 {
			return events.Retracted{NotificationID: rapid.SampledFrom(d.ids).Draw(d.t, "retracted")}
		}
		return nil
	}
	items := events.Items{User: d.user(), IDs: d.ids[:rapid.IntRange(0, len(d.ids)).Draw(d.t, "ids")]}
	if rapid.Bool().Draw(d.t, "through") {
		items.IDs, items.Through = nil, events.Position(rapid.IntRange(1, len(d.l.log)*10+20).Draw(d.t, "position"))
	}
	e, err := inbox.Event(rapid.SampledFrom(inbox.ChangeNames).Draw(d.t, "change"), items)
	if err != nil {
		d.t.Fatal(err)
	}
	return e
}

func (d *drawn) pair(user events.User, topic events.Topic) events.Event {
	filters := []string{"", "", `title == "3"`, `data.n == 1`, `severity != "low"`}
	rules := events.Rules{
		MinSeverity: events.Severity(rapid.SampledFrom([]uint8{0, 0, 1, 2}).Draw(d.t, "lowest")),
		Filter:      rapid.SampledFrom(filters).Draw(d.t, "filter"),
	}
	key := string(user) + "/" + string(topic)
	switch {
	case !d.subscribed[key]:
		d.subscribed[key] = true
		return events.Subscribed{User: user, Topic: topic, Rules: rules}
	case rapid.Bool().Draw(d.t, "change"):
		return events.SubscriptionChanged{User: user, Topic: topic, Rules: rules}
	}
	d.subscribed[key] = false
	return events.Unsubscribed{User: user, Topic: topic}
}

func (d *drawn) publish() events.Event {
	n := len(d.ids)
	p := events.Published{
		NotificationID: uuid.NewSHA1(uuid.Nil, fmt.Append(nil, "notification", n)), Severity: d.severity(),
		Content: events.Content{Title: fmt.Sprint(n), Data: json.RawMessage(rapid.SampledFrom([]string{"{}", `{"n":1}`}).Draw(d.t, "data"))},
	}
	if rapid.Bool().Draw(d.t, "of a batch") {
		p.NotificationID = events.BatchEntryID(events.BatchID(noticeID), n)
	}
	if rapid.IntRange(0, 4).Draw(d.t, "expires") == 0 {
		p.ExpiresAt = new(began.Add(rapid.SampledFrom([]time.Duration{0, time.Hour}).Draw(d.t, "expiry")))
	}
	for range rapid.SampledFrom([]int{1, 1, 2, 3}).Draw(d.t, "targets") {
		to := events.Target{Topic: d.topic()}
		if rapid.IntRange(0, 3).Draw(d.t, "to a user") == 0 {
			to = events.Target{User: d.user()}
		}
		p.To = append(p.To, to)
	}
	d.ids = append(d.ids, p.NotificationID)
	return p
}

// TestExplainTellsOfRetention: only the tables know what they are kept by.
func TestExplainTellsOfRetention(t *testing.T) {
	t.Parallel()
	url, pool := database(t)
	newer := notice("user:alice")
	newer.NotificationID = uuid.New()
	l := tell(notice("user:alice"), newer)
	var log written
	for _, s := range l.log {
		r, err := events.Decode(s)
		if err != nil {
			t.Fatal(err)
		}
		log = append(log, r)
	}
	q := queries.New(pool, queries.Options{Streams: l})
	project(t.Context(), t, url, q, log, never, inbox.Retention{}, 0)
	for keep, want := range map[int]bool{0: true, 1: false, 2: true} {
		if _, err := pool.Exec(t.Context(), "update projections set keep_items = $1", keep); err != nil {
			t.Fatal(err)
		}
		e, err := q.Explain(t.Context(), noticeID, "alice")
		if err != nil {
			t.Fatal(err)
		}
		if e.State.Retained == nil || *e.State.Retained != want {
			t.Errorf("keeping %d: retained is %v, want %v", keep, e.State.Retained, want)
		}
		if hidden := strings.Contains(e.Verdict, "retention hides it"); hidden == want {
			t.Errorf("keeping %d: %s", keep, e.Verdict)
		}
	}
}
