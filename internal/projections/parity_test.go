package projections

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/postgres"
)

// worn is a log of which retention, expiry, retraction and users hide something. Its
// last event is of this moment, the others of the epoch, a second apart.
func worn(t testing.TB) *testLog {
	t.Helper()
	log := newLog(t)
	for n := range 6 {
		log.append(t, events.Subscribed{User: events.User(fmt.Sprintf("u%02d", n)), Topic: "a"})
	}
	for n := range 12 {
		p := publish(n, events.SeverityNormal, "topic:a", "user:u01")
		if n%4 == 1 {
			p.ExpiresAt = new(epoch.Add(time.Hour))
		}
		log.append(t, p)
		switch at := log.head(); n % 4 {
		case 2:
			log.append(t, events.Retracted{NotificationID: nid(n), PublishedPosition: at})
		case 3:
			log.append(t, events.ItemsDeleted{Items: events.Items{User: "u02", IDs: []uuid.UUID{nid(n)}}},
				events.ItemsRead{Items: events.Items{User: "u03", IDs: []uuid.UUID{nid(n), nid(n - 2)}}})
		}
	}
	log.append(t, events.TopicDescribed{Topic: "a", Description: "now"})
	log.mu.Lock()
	defer log.mu.Unlock()
	log.stored[len(log.stored)-1].At = time.Now()
	return log
}

// TestTheParityReportSaysNothingOfWhatWasCleaned: rows of one version alone were
// deleted because nobody is shown them any more.
func TestTheParityReportSaysNothingOfWhatWasCleaned(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		retention Retention
		cleaned   string // says that it was
	}{
		"by age":       {Retention{KeepAge: time.Since(epoch.Add(15 * time.Second))}, "select coalesce(min(position) > 140, true) from inbox"},
		"by items":     {Retention{KeepItems: 4}, "select count(*) <= 4 * 6 from inbox"},
		"by both":      {Retention{KeepItems: 4, KeepAge: time.Since(epoch.Add(15 * time.Second))}, "select count(*) <= 4 * 6 from inbox"},
		"what expired": {Retention{}, "select count(*) = 6 * 6 from inbox"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.retention.KeepAge > 0 { // from when this begins, on a busy machine
				c.retention.KeepAge = time.Since(epoch.Add(15 * time.Second))
			}
			log := worn(t)
			url := postgres.Fresh(t)
			conn := dial(t, url)
			const long = time.Hour * 1e6
			run := func(history time.Duration, limit int) (stop func()) {
				v := newVersions(url, log)
				v.Retention, v.StoreLimit = c.retention, limit
				v.KeepHistory = history
				return keep(t, v)
			}
			stop := run(long, DefaultStoreLimit)
			awaitServed(t, conn, log.head())
			stop() // all is there when cleaning begins: a walk that finds nothing rests for long
			stop = run(time.Nanosecond, DefaultStoreLimit)
			log.append(t, events.TopicDescribed{Topic: "a", Description: "it goes on"})
			eventually(t, "clean", func() bool {
				done := false
				return one(t.Context(), conn, c.cleaned, nil, &done) == nil && done
			})
			stop()
			run(long, 3) // joined, so that nothing can be deleted either
			log.order(t, rebuilt(2))
			if got, want := parityOf(t, conn, 2), "0 of 6 users differ from version 1"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// TestTheParityReportComparesWhatUsersPrefer: a rule that takes mutes for something
// else shows, also where nobody is subscribed to what was muted.
func TestTheParityReportComparesWhatUsersPrefer(t *testing.T) {
	t.Parallel()
	log := crowded(t)
	log.append(t, events.PreferencesSet{User: "ann", Preferences: events.Preferences{MutedTopics: []events.Topic{"b", "c"}}},
		events.PreferencesSet{User: "u07", Preferences: events.Preferences{MutedTopics: []events.Topic{"z"}}})
	url := postgres.Fresh(t)
	conn := dial(t, url)
	v := newVersions(url, log)
	v.transform = map[int]func(events.Recorded) events.Recorded{2: func(r events.Recorded) events.Recorded {
		if e, ok := r.Event.(events.PreferencesSet); ok && e.User == "ann" {
			e.MutedTopics = []events.Topic{"b"}
			r.Event = e
		}
		return r
	}}
	keep(t, v)
	awaitServed(t, conn, log.head())
	log.order(t, rebuilt(2))
	got := parityOf(t, conn, 2)
	if !strings.HasPrefix(got, "1 of 41 users differ from version 1\nann preferences") || !strings.Contains(got, `"c"`) {
		t.Errorf("got\n%s, want that ann's muted topics differ", got)
	}
}
