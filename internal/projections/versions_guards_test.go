package projections

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/postgres"
	"github.com/tidings-io/tidings/internal/queries"
)

// TestOnlyTheServingVersionWakes: who waits for a position is told once, by the
// version that is read.
func TestOnlyTheServingVersionWakes(t *testing.T) {
	long(t)
	t.Parallel()
	log := crowded(t)
	url := postgres.Fresh(t)
	conn, ear := dial(t, url), dial(t, url)
	keep(t, newVersions(url, log))
	awaitRegistry(t, conn, "1 serving running")
	awaitServed(t, conn, log.head())
	if err := exec(t.Context(), ear, "listen tidings_inbox"); err != nil {
		t.Fatal(err)
	}
	held := rebuilt(2)
	held.Held = true
	awaitServed(t, conn, log.order(t, held))
	awaitRegistry(t, conn, "1 serving running, 2 ready")
	log.append(t, publish(9, 0, "user:zoe"))
	first := log.head()
	for _, version := range []string{"1", "2"} {
		awaitFolded(t, conn, version, first)
	}
	if got := wakes(t, ear, conn); got[first.String()] != 1 || got["10"]+got["200"] != 0 {
		t.Errorf("got the notices %v, want one of %s, and none of what was there before", got, first)
	}

	log.order(t, events.VersionActivated{Order: ordered, Version: 2})
	awaitRegistry(t, conn, "1 kept, 2 serving running")
	awaitServed(t, conn, log.head())
	log.append(t, publish(10, 0, "user:zoe"))
	awaitServed(t, conn, log.head())
	if got := wakes(t, ear, conn)[log.head().String()]; got != 1 {
		t.Errorf("got %d notices of %s after the switch, want 1", got, log.head())
	}
}

// awaitFolded waits until a version, whether it serves or not, has come to a position.
func awaitFolded(t testing.TB, conn *pgx.Conn, version string, at events.Position) {
	t.Helper()
	eventually(t, "fold "+at.String()+" in version "+version, func() bool {
		var position int64
		err := one(t.Context(), conn, "select position from public_inbox_"+version+".projections", nil, &position)
		return err == nil && position >= number(at)
	})
}

// wakes counts the notices of each position up to now.
func wakes(t testing.TB, ear, conn *pgx.Conn) map[string]int {
	t.Helper()
	if err := exec(t.Context(), conn, "select pg_notify('tidings_inbox', 'now')"); err != nil {
		t.Fatal(err)
	}
	counted := map[string]int{}
	for {
		notice, err := ear.WaitForNotification(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if notice.Payload == "now" {
			return counted
		}
		counted[notice.Payload]++
	}
}

// mute are orders that cannot be read at first.
type mute struct {
	*testLog

	heard atomic.Bool
	asked atomic.Int64
}

func (m *mute) Read(ctx context.Context, stream events.StreamName, from events.Revision) iter.Seq2[events.Stored, error] {
	m.asked.Add(1)
	if m.heard.Load() {
		return m.testLog.Read(ctx, stream, from)
	}
	return func(yield func(events.Stored, error) bool) { yield(events.Stored{}, errors.New("the store is away")) }
}

// TestNothingIsFoldedBeforeOrdersAreKnown: they may say what must be passed over, or
// that folding is paused.
func TestNothingIsFoldedBeforeOrdersAreKnown(t *testing.T) {
	long(t)
	t.Parallel()
	log := crowded(t)
	log.order(t, events.ProjectionPaused{Order: ordered})
	url := postgres.Fresh(t)
	conn := dial(t, url)
	v := newVersions(url, log)
	orders := &mute{testLog: log}
	v.Orders = orders
	keep(t, v)
	eventually(t, "ask again and again", func() bool { return orders.asked.Load() > 5 })
	if got := registry(t, conn); got != "" || v.Status().State != StateWaitingForStore {
		t.Errorf("got the registry %q and the status %+v, want nothing begun", got, v.Status())
	}
	orders.heard.Store(true)
	awaitRegistry(t, conn, "1 serving paused")
	log.order(t, events.ProjectionResumed{Order: ordered})
	awaitServed(t, conn, log.head())
}

// TestAVersionThatServesOrShallIsNotDropped, whatever was ordered: it goes once
// another one has taken its place.
func TestAVersionThatServesOrShallIsNotDropped(t *testing.T) {
	long(t)
	t.Parallel()
	log := crowded(t)
	url := postgres.Fresh(t)
	conn := dial(t, url)
	v := newVersions(url, log)
	v.transform = map[int]func(events.Recorded) events.Recorded{2: func(r events.Recorded) events.Recorded {
		if r.Position == 70 {
			r.Event = events.Unsubscribed{User: "nobody", Topic: "none"}
		}
		return r
	}}
	keep(t, v)
	awaitServed(t, conn, log.head())
	log.order(t, rebuilt(2))
	awaitRegistry(t, conn, "1 serving running, 2 halted at 70")
	log.order(t, events.VersionDropped{Order: ordered, Version: 2}) // which shall serve
	log.order(t, events.VersionDropped{Order: ordered, Version: 1}) // which serves
	log.order(t, events.ProjectionPaused{Order: ordered})           // shows that the orders were carried out
	awaitRegistry(t, conn, "1 serving paused, 2 kept")
	log.order(t, events.ProjectionResumed{Order: ordered})
	awaitServed(t, conn, log.head())
}

// TestWhatWasNotWrittenForLongIsNotKnown: nobody keeps the registry any more.
func TestWhatWasNotWrittenForLongIsNotKnown(t *testing.T) {
	long(t)
	t.Parallel()
	url := postgres.Fresh(t)
	conn := dial(t, url)
	stop := keep(t, newVersions(url, crowded(t)))
	awaitRegistry(t, conn, "1 serving running")
	stop()
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	for ago, want := range map[string]string{"5 s": "running", "11 s": "unknown"} {
		if err := exec(t.Context(), conn, "update versions set updated_at = now() - $1::text::interval", ago); err != nil {
			t.Fatal(err)
		}
		all, err := queries.New(pool, queries.Options{}).Projections(t.Context())
		if err != nil || len(all) != 1 || all[0].State != want || !all[0].Serving {
			t.Errorf("written %s ago: got %+v, %v, want %s", ago, all, err, want)
		}
	}
}
