package inbox_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
)

// TestBookIsTheNaiveFold: for any log, at any time and under any retention, a book,
// alone or on a shelf, shows what a fold without a thought for speed shows.
func TestBookIsTheNaiveFold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		log, m := drawLog(t), newModel()
		users := []events.User{"ann", "bob", "cyd"}
		shelf := inbox.NewShelf(users...)
		alone := inbox.NewBook("ann")
		for _, r := range log {
			m.apply(r)
			shelf.Apply(r)
			alone.Apply(r)
		}
		now := epoch.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "now")) * time.Second)
		keep := inbox.Retention{
			Age:   time.Duration(rapid.SampledFrom([]int{0, 5, 20, 60}).Draw(t, "age")) * time.Second,
			Items: rapid.SampledFrom([]int{0, 1, 3, 10}).Draw(t, "keep"),
		}
		for _, user := range users {
			want := m.page(user, now, keep)
			if diff := cmp.Diff(want, bookPage(shelf.Book(user), now, keep)); diff != "" {
				t.Fatalf("%s at %s, keeping %+v: naive (-), book (+):\n%s", user, now.Format(time.TimeOnly), keep, diff)
			}
		}
		if diff := cmp.Diff(shelf.Book("ann").Items(now, keep), alone.Items(now, keep)); diff != "" {
			t.Fatalf("on a shelf (-), alone (+):\n%s", diff)
		}
		checkPeriods(t, alone)
	})
}

// checkPeriods holds a book's periods to what they promise of each other.
func checkPeriods(t *rapid.T, b *inbox.Book) {
	last := map[events.Topic]inbox.Period{}
	for _, p := range b.Periods() {
		before, again := last[p.Topic]
		switch {
		case again && (before.Until == 0 || before.Until > p.From):
			t.Fatalf("%+v begins within %+v", p, before)
		case p.Since != p.From && (before.Until != p.From || before.Since != p.Since):
			t.Fatalf("%+v does not go on from %+v", p, before)
		case p.Until == 0 && p.Muted != slices.Contains(b.Muted(), p.Topic):
			t.Fatalf("%+v is open while %q are muted", p, b.Muted())
		}
		last[p.Topic] = p
	}
}

// at numbers events 10, 20, 30 …, a second apart.
func at(evs ...events.Event) []events.Recorded {
	log := make([]events.Recorded, len(evs))
	for i, e := range evs {
		log[i] = events.Recorded{Position: events.Position(i+1) * 10, At: epoch.Add(time.Duration(i) * time.Second), Event: e}
	}
	return log
}

func book(user events.User, evs ...events.Event) *inbox.Book {
	b := inbox.NewBook(user)
	for _, r := range at(evs...) {
		b.Apply(r)
	}
	return b
}

func publish(n int, targets ...events.Target) events.Published {
	return events.Published{NotificationID: nid(n), To: targets, Severity: events.SeverityNormal}
}

var toAnn = events.Target{User: "ann"}

// TestPeriodsOfABook pins the periods that rules, mutes and their order make.
func TestPeriodsOfABook(t *testing.T) {
	t.Parallel()
	subscribe := events.Subscribed{User: "ann", Topic: "a"}
	mute := events.PreferencesSet{User: "ann", Preferences: events.Preferences{MutedTopics: []events.Topic{"a"}}}
	unmute := events.PreferencesSet{User: "ann"}
	high := events.Rules{MinSeverity: events.SeverityHigh}
	change := events.SubscriptionChanged{User: "ann", Topic: "a", Rules: high}
	leave := events.Unsubscribed{User: "ann", Topic: "a"}
	for rule, c := range map[string]struct {
		log  []events.Event
		want []inbox.Period
	}{
		"a subscription lasts": {
			[]events.Event{subscribe, events.Subscribed{User: "bob", Topic: "a"}, events.Unsubscribed{User: "bob", Topic: "a"}},
			[]inbox.Period{{Topic: "a", From: 10, Since: 10}},
		},
		"a change ends one period and begins the next": {
			[]events.Event{subscribe, change},
			[]inbox.Period{{Topic: "a", From: 10, Until: 20, Since: 10}, {Topic: "a", From: 20, Since: 10, Rules: high}},
		},
		"muting splits, and so does unmuting": {
			[]events.Event{subscribe, mute, mute, unmute},
			[]inbox.Period{
				{Topic: "a", From: 10, Until: 20, Since: 10},
				{Topic: "a", From: 20, Until: 40, Since: 10, Muted: true}, {Topic: "a", From: 40, Since: 10},
			},
		},
		"who subscribes to what is muted begins muted": {
			[]events.Event{mute, subscribe, change},
			[]inbox.Period{
				{Topic: "a", From: 20, Until: 30, Since: 20, Muted: true}, {Topic: "a", From: 30, Since: 20, Muted: true, Rules: high},
			},
		},
		"a mute outlives a subscription": {
			[]events.Event{subscribe, mute, leave, subscribe},
			[]inbox.Period{
				{Topic: "a", From: 10, Until: 20, Since: 10}, {Topic: "a", From: 20, Until: 30, Since: 10, Muted: true},
				{Topic: "a", From: 40, Since: 40, Muted: true},
			},
		},
		"somebody else's mute is not one's own": {
			[]events.Event{subscribe, events.PreferencesSet{User: "bob", Preferences: mute.Preferences}},
			[]inbox.Period{{Topic: "a", From: 10, Since: 10}},
		},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, book("ann", c.log...).Periods()); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
		})
	}
}

// TestRetentionOfABook pins what each of the two rules hides.
func TestRetentionOfABook(t *testing.T) {
	t.Parallel()
	log := []events.Event{
		publish(0, toAnn), publish(1, toAnn), publish(2, toAnn), // 10, 20, 30 at :05, :06, :07
		events.ItemsDeleted{Items: events.Items{User: "ann", IDs: idsOf(2)}},
		events.Retracted{NotificationID: nid(1)},
	}
	b := book("ann", log...)
	last := epoch.Add(4 * time.Second)
	for rule, c := range map[string]struct {
		now  time.Time
		keep inbox.Retention
		want int
	}{
		"nothing is hidden where nothing is asked":     {last, inbox.Retention{}, 1},
		"what was deleted or retracted counts as kept": {last, inbox.Retention{Items: 2}, 0},
		"three are all":                                  {last, inbox.Retention{Items: 3}, 1},
		"as old as the age is too old":                   {last, inbox.Retention{Age: 4 * time.Second}, 0},
		"a moment younger is not":                        {last, inbox.Retention{Age: 4*time.Second + time.Nanosecond}, 1},
		"when nothing is younger, everything is hidden":  {last.Add(time.Hour), inbox.Retention{Age: time.Minute}, 0},
		"an answer given before the first event has all": {epoch.Add(-time.Hour), inbox.Retention{Age: time.Minute}, 1},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			if got := len(b.Items(c.now, c.keep)); got != c.want {
				t.Errorf("%d items, want %d", got, c.want)
			}
		})
	}
}
