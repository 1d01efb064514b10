package projections

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/postgres"
)

// Read makes a test's log the place where orders are read.
func (l *testLog) Read(_ context.Context, stream events.StreamName, from events.Revision) iter.Seq2[events.Stored, error] {
	l.mu.Lock()
	defer l.mu.Unlock()
	stored, err := l.stored, l.err
	return func(yield func(events.Stored, error) bool) {
		if err != nil {
			yield(events.Stored{}, err)
			return
		}
		revision := events.Revision(0)
		for _, s := range stored {
			if s.Stream != stream {
				continue
			}
			if s.Revision = revision; revision >= from && !yield(s, nil) {
				return
			}
			revision++
		}
	}
}

// order records an operator's order and returns its position.
func (l *testLog) order(t testing.TB, e events.ProjectionEvent) events.Position {
	t.Helper()
	stream := events.ProjectionStream(inboxName)
	p, err := events.Encode(e, stream, 0, events.Metadata{Attempt: uuid.New(), Actor: "op"})
	if err != nil {
		t.Fatal(err)
	}
	l.write(events.Stored{ID: p.ID, Stream: stream, Type: e.Type(), Data: p.Data, Metadata: p.Metadata})
	return l.head()
}

func (l *testLog) head() events.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return events.Position(len(l.stored) * 10)
}

var ordered = events.Order{Projection: inboxName, Reason: "a test"}

func rebuilt(version int) events.RebuildOrdered {
	return events.RebuildOrdered{Order: ordered, Version: version}
}

func newVersions(url string, log *testLog) *Versions {
	return &Versions{
		DatabaseURL: url, Source: log, Orders: log, StoreLimit: DefaultStoreLimit,
		StoreID: func(context.Context) (uuid.UUID, error) { return storeID, nil },
	}
}

// keep runs the versions until the test or stop ends them.
func keep(t testing.TB, v *Versions) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := v.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// registry is what the table of versions says, a line each.
func registry(t testing.TB, conn *pgx.Conn) string {
	t.Helper()
	rows, err := conn.Query(t.Context(), `
		select format('%s %s%s %s', version, case when serving then 'serving ' else '' end, state, coalesce('at ' || halted_position, ''))
		from versions order by version`)
	if err != nil {
		return err.Error() // not there yet
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err.Error()
	}
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, ", ")
}

func awaitRegistry(t testing.TB, conn *pgx.Conn, want string) {
	t.Helper()
	got := ""
	defer func() {
		if got != want {
			t.Logf("the registry says: %s", got)
		}
	}()
	eventually(t, "say in the registry: "+want, func() bool {
		got = registry(t, conn)
		return got == want
	})
}

// awaitServed waits until readers see everything up to a position.
func awaitServed(t testing.TB, conn *pgx.Conn, at events.Position) {
	t.Helper()
	eventually(t, fmt.Sprintf("serve position %s", at), func() bool {
		_, position, err := checkpoint(t.Context(), conn)
		return err == nil && position >= at
	})
}

func TestARebuildTakesOver(t *testing.T) {
	t.Parallel()
	log := newLog(t, events.Subscribed{User: "ann", Topic: "a"}, publish(1, 0, "topic:a"))
	url := postgres.Fresh(t)
	conn := dial(t, url)
	keep(t, newVersions(url, log))
	awaitServed(t, conn, 20)
	before := rowsOf(t.Context(), t, conn, "inbox", "periods", "users")
	awaitRegistry(t, conn, "1 serving running")

	log.order(t, rebuilt(2))
	awaitRegistry(t, conn, "1 kept, 2 serving running")
	if after := rowsOf(t.Context(), t, conn, "inbox", "periods", "users"); after != before {
		t.Errorf("got\n%s, want what there was before:\n%s", after, before)
	}
	log.append(t, publish(2, 0, "topic:a"))
	awaitServed(t, conn, 40)
	if got, want := rowsOf(t.Context(), t, conn, "inbox"), "inbox: ann 20\ninbox: ann 40\n"; got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
}

// parityOf is what the report of a version says: how many differ, and how.
func parityOf(t testing.TB, conn *pgx.Conn, version int) string {
	t.Helper()
	var report string
	eventually(t, "make a parity report", func() bool {
		err := one(t.Context(), conn, `
			select format('%s of %s users differ from version %s', p.differing_users, p.users, p.against) || coalesce(
				(select string_agg(format(e'\n%s %s %s %s: %s', d.username, d.kind, d.position, d.topic, d.difference), '' order by d.username, d.line)
				from parity_differences d where d.version = p.version), '')
			from parity p where p.version = $1`, []any{version}, &report)
		return err == nil
	})
	return report
}

// crowded is a log with items stored and joined, marks, changed rules and retractions.
func crowded(t testing.TB) *testLog {
	t.Helper()
	log := newLog(t)
	for n := range 40 {
		user := events.User(fmt.Sprintf("u%02d", n))
		log.append(t, events.Subscribed{User: user, Topic: "a"})
		if n < 5 {
			log.append(t, events.Subscribed{User: user, Topic: "b", Rules: events.Rules{MinSeverity: events.SeverityHigh}})
		}
	}
	log.append(t, publish(1, events.SeverityNormal, "topic:a"), publish(2, events.SeverityHigh, "topic:b", "user:u30"),
		publish(3, events.SeverityNormal, "topic:b"), publish(4, events.SeverityNormal, "user:ann"))
	log.append(t, events.ItemsRead{Items: events.Items{User: "u01", IDs: []uuid.UUID{nid(1), nid(2)}}},
		events.ItemsDeleted{Items: events.Items{User: "u02", IDs: []uuid.UUID{nid(1)}}},
		events.Retracted{NotificationID: nid(4), PublishedPosition: log.head()})
	return log
}

func TestTheParityReportOfTheSameRulesIsEmpty(t *testing.T) {
	t.Parallel()
	log := crowded(t)
	url := postgres.Fresh(t)
	conn := dial(t, url)
	v := newVersions(url, log)
	v.StoreLimit = 10
	stop := keep(t, v)
	awaitServed(t, conn, log.head())
	stop()
	v = newVersions(url, log) // with more stored than before: nobody can see that
	keep(t, v)
	log.order(t, rebuilt(2))
	if got, want := parityOf(t, conn, 2), "0 of 41 users differ from version 1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	awaitRegistry(t, conn, "1 kept, 2 serving running")
}

func TestTheParityReportShowsExactlyWhomAChangedRuleChanges(t *testing.T) {
	t.Parallel()
	log := crowded(t)
	url := postgres.Fresh(t)
	conn := dial(t, url)
	v := newVersions(url, log)
	v.transform = map[int]func(events.Recorded) events.Recorded{2: func(r events.Recorded) events.Recorded {
		switch e := r.Event.(type) {
		case events.Subscribed:
			if e.User == "u04" {
				e.MinSeverity = events.SeverityNormal
				r.Event = e
			}
		case events.ItemsRead:
			r.Event = events.ItemsSeen(e)
		}
		return r
	}}
	keep(t, v)
	awaitServed(t, conn, log.head())
	held := rebuilt(2)
	held.Held = true
	log.order(t, held)
	got := parityOf(t, conn, 2)
	for _, want := range []string{"2 of 41 users differ from version 1", "\nu01 item", "\nu04 subscription", "read ", "seen ", "\nu04 item"} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwithout %q", got, want)
		}
	}
	awaitRegistry(t, conn, "1 serving running, 2 ready")
	log.order(t, events.VersionActivated{Order: ordered, Version: 2})
	awaitRegistry(t, conn, "1 kept, 2 serving running")
}

func TestAReplacedVersionServesAgainAndIsDropped(t *testing.T) {
	long(t)
	t.Parallel()
	log := crowded(t)
	url := postgres.Fresh(t)
	conn := dial(t, url)
	keep(t, newVersions(url, log))
	awaitRegistry(t, conn, "1 serving running")
	log.order(t, rebuilt(2))
	awaitRegistry(t, conn, "1 kept, 2 serving running")
	log.append(t, publish(9, 0, "user:zoe"))
	log.order(t, events.VersionActivated{Order: ordered, Version: 1})
	awaitRegistry(t, conn, "1 serving running, 2 kept")
	awaitServed(t, conn, log.head())
	if got := rowsOf(t.Context(), t, conn, "inbox"); !strings.Contains(got, "zoe") {
		t.Errorf("got the inbox\n%s, want what came while version 1 rested", got)
	}
	log.order(t, events.VersionDropped{Order: ordered, Version: 2})
	awaitRegistry(t, conn, "1 serving running")
	var schemas int
	if err := one(t.Context(), conn, "select count(*) from pg_namespace where nspname like '%\\_inbox\\_%'", nil, &schemas); err != nil || schemas != 1 {
		t.Errorf("got %d schemas of versions, %v, want 1", schemas, err)
	}
	log.order(t, rebuilt(3))
	awaitRegistry(t, conn, "1 kept, 3 serving running")
}

func TestPausedNothingIsFolded(t *testing.T) {
	long(t)
	t.Parallel()
	log := crowded(t)
	url := postgres.Fresh(t)
	conn := dial(t, url)
	v := newVersions(url, log)
	keep(t, v)
	awaitServed(t, conn, log.head())
	log.order(t, events.ProjectionPaused{Order: ordered})
	awaitRegistry(t, conn, "1 serving paused")
	_, before, err := checkpoint(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	log.append(t, publish(9, 0, "user:zoe"))
	log.order(t, rebuilt(2))
	awaitRegistry(t, conn, "1 serving paused, 2 paused")
	if _, at, err := checkpoint(t.Context(), conn); err != nil || at != before {
		t.Errorf("got the position %s, %v, want it to stay at %s", at, err, before)
	}
	if got := v.Status().State; got != StatePaused {
		t.Errorf("got the state %s, want paused", got)
	}
	log.order(t, events.ProjectionResumed{Order: ordered})
	awaitRegistry(t, conn, "1 kept, 2 serving running")
}

// poison records an event that no program can read.
func (l *testLog) poison() events.Position {
	l.write(events.Stored{Type: "FromTheFuture", Stream: "x-y", Data: []byte(`{}`), Metadata: []byte(`{"schema_version":1}`)})
	return l.head()
}

func skipped(at events.Position) events.EventSkipped {
	return events.EventSkipped{Order: ordered, Position: at}
}

func TestAHaltedProjectionGoesOnPastASkippedEvent(t *testing.T) {
	long(t)
	t.Parallel()
	log := crowded(t)
	url := postgres.Fresh(t)
	conn := dial(t, url)
	v := newVersions(url, log)
	keep(t, v)
	at := log.poison()
	log.append(t, publish(9, 0, "user:zoe"))
	awaitRegistry(t, conn, "1 serving halted at "+at.String())
	if s := v.Status(); s.State != StateHalted || !strings.Contains(s.Reason, "FromTheFuture of x-y") || !strings.Contains(s.Reason, at.String()) {
		t.Errorf("got the status %+v, want the event's position, type and stream", s)
	}
	log.order(t, skipped(at-10)) // another one
	log.order(t, skipped(at))
	awaitServed(t, conn, log.head())
	awaitRegistry(t, conn, "1 serving running")
	log.order(t, rebuilt(2)) // passes over it too
	awaitRegistry(t, conn, "1 kept, 2 serving running")
}

func TestAnEventThatHaltsARebuildAlone(t *testing.T) {
	long(t)
	t.Parallel()
	log := crowded(t)
	url := postgres.Fresh(t)
	conn := dial(t, url)
	v := newVersions(url, log)
	v.transform = map[int]func(events.Recorded) events.Recorded{2: func(r events.Recorded) events.Recorded {
		if r.Position == 70 { // its rules do not bear this one
			r.Event = events.Unsubscribed{User: "nobody", Topic: "none"}
		}
		return r
	}}
	keep(t, v)
	awaitServed(t, conn, log.head())
	log.order(t, rebuilt(2))
	awaitRegistry(t, conn, "1 serving running, 2 halted at 70")
	log.append(t, publish(9, 0, "user:zoe"))
	awaitServed(t, conn, log.head())
	log.order(t, skipped(70))
	awaitRegistry(t, conn, "1 kept, 2 serving running")
	if got := parityOf(t, conn, 2); !strings.HasPrefix(got, "1 of 42 users differ") {
		t.Errorf("got the report %s, want that it concerns the one user of the event", got)
	}
}

// TestSwitchesUnderReaders: readers with prepared statements and readers in snapshots
// see no error, and no checkpoint below one they saw before.
func TestSwitchesUnderReaders(t *testing.T) {
	long(t)
	t.Parallel()
	log := crowded(t)
	url := postgres.Fresh(t)
	conn := dial(t, url)
	keep(t, newVersions(url, log))
	awaitRegistry(t, conn, "1 serving running")
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	defer readers.Wait()
	defer stop()
	for n := range 4 {
		reader := dial(t, url)
		readers.Go(func() { readOn(ctx, t, reader, n%2 == 0) })
	}
	readers.Go(func() {
		for n := 100; ctx.Err() == nil; n++ {
			log.append(t, publish(n, events.SeverityNormal, "topic:a"))
			sleep(ctx, 5*time.Millisecond)
		}
	})
	log.order(t, rebuilt(2))
	awaitRegistry(t, conn, "1 kept, 2 serving running")
	log.order(t, events.VersionActivated{Order: ordered, Version: 1})
	awaitRegistry(t, conn, "1 serving running, 2 kept")
	log.order(t, rebuilt(3))
	awaitRegistry(t, conn, "1 kept, 2 kept, 3 serving running")
}

// readOn reads until ctx ends, statement by statement or in snapshots.
func readOn(ctx context.Context, t *testing.T, conn *pgx.Conn, snapshots bool) {
	var last events.Position
	for ctx.Err() == nil {
		at, items, now, err := readOnce(ctx, conn, snapshots)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			t.Errorf("read: %v", err)
			return
		case !snapshots && at < last:
			t.Errorf("went back from %s to %s", last, at)
			return
		case snapshots && (now != at || items == 0):
			t.Errorf("one snapshot showed the checkpoints %s and %s, and %d items", at, now, items)
			return
		}
		last = at
	}
}

func readOnce(ctx context.Context, conn *pgx.Conn, snapshot bool) (at events.Position, items int, now events.Position, err error) {
	if !snapshot {
		_, at, err = checkpoint(ctx, conn)
		return at, 0, 0, err
	}
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(pgx.Tx) error {
		if _, at, err = checkpoint(ctx, conn); err != nil {
			return err
		}
		if err := one(ctx, conn, "select count(*) from inbox i join users u using (user_id) where u.name = 'u01'", nil, &items); err != nil {
			return err
		}
		_, now, err = checkpoint(ctx, conn)
		return err
	})
	return at, items, now, err
}

// TestTheLeaderDiesInEveryPhase: two stand ready, and whoever leads loses its
// connection once in every phase.
func TestTheLeaderDiesInEveryPhase(t *testing.T) {
	t.Parallel()
	for _, phase := range []string{"made", "holding", "switching"} {
		t.Run(phase, func(t *testing.T) {
			t.Parallel()
			log := crowded(t)
			url := postgres.Fresh(t)
			conn := dial(t, url)
			killer := dial(t, url)
			for _, spared := range []*pgx.Conn{conn, killer} {
				if err := exec(t.Context(), spared, "set application_name = 'test'"); err != nil {
					t.Fatal(err)
				}
			}
			var once sync.Once
			armed := make(chan struct{})
			kill := func(at string) {
				select {
				case <-armed:
				default:
					return
				}
				if at != phase {
					return
				}
				once.Do(func() {
					if _, err := killer.Exec(context.WithoutCancel(t.Context()), `
						select pg_terminate_backend(pid) from pg_stat_activity
						where datname = current_database() and application_name like 'tidings%'`); err != nil {
						t.Errorf("kill: %v", err)
					}
				})
			}
			for range 2 {
				v := newVersions(url, log)
				v.reach = kill
				keep(t, v)
			}
			awaitRegistry(t, conn, "1 serving running")
			awaitServed(t, conn, log.head())
			before := uncleaned(rowsOf(t.Context(), t, conn, "inbox", "periods", "marks"))
			close(armed)
			log.order(t, rebuilt(2))
			awaitRegistry(t, conn, "1 kept, 2 serving running")
			awaitServed(t, conn, log.head())
			killed := true
			once.Do(func() { killed = false })
			if !killed {
				t.Errorf("nobody came to the phase %s", phase)
			}
			if after := uncleaned(rowsOf(t.Context(), t, conn, "inbox", "periods", "marks")); after != before {
				t.Errorf("got\n%s, want\n%s", after, before)
			}
		})
	}
}

// uncleaned are the rows that cleaning leaves alone.
func uncleaned(rows string) string {
	lines := slices.DeleteFunc(strings.Split(rows, "\n"), func(line string) bool { return strings.HasSuffix(line, " ends") })
	return strings.Join(lines, "\n")
}

// long leaves a test that takes seconds to make test.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes seconds")
	}
}
