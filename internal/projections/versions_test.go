package projections

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"

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
