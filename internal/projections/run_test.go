package projections

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/postgres"
)

// patience is far more than anything here takes.
const patience = 30 * time.Second

// eventually waits for a condition, not for a time.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !is() {
		select {
		case <-again.C:
		case <-deadline.C:
			t.Fatalf("%s: not after %s", what, patience)
		}
	}
}

func newInbox(url string, log *testLog) *Inbox {
	return &Inbox{
		DatabaseURL: url, Source: log, StoreLimit: DefaultStoreLimit,
		StoreID: func(context.Context) (uuid.UUID, error) { return storeID, nil },
	}
}

// start runs a projection until the test or stop ends it.
func start(t testing.TB, p *Inbox) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := p.Run(ctx); err != nil {
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

func awaitPosition(t testing.TB, p *Inbox, at events.Position) {
	t.Helper()
	eventually(t, "reach position "+at.String(), func() bool { return p.Status().Position >= at })
}

func awaitState(t testing.TB, p *Inbox, state State) {
	t.Helper()
	eventually(t, fmt.Sprintf("be %s", state), func() bool { return p.Status().State == state })
}

func TestRunAppliesHistoryThenWhatComes(t *testing.T) {
	t.Parallel()
	log := newLog(t, events.Subscribed{User: "ann", Topic: "a"}, publish(1, 0, "topic:a"))
	url := postgres.Fresh(t) // Run migrates
	p := newInbox(url, log)
	p.Metrics = NewMetrics(prometheus.NewRegistry())
	stop := start(t, p)
	awaitPosition(t, p, 20)

	conn := dial(t, url)
	if _, err := conn.Exec(t.Context(), "listen tidings_inbox"); err != nil {
		t.Fatal(err)
	}
	log.append(t, publish(2, 0, "topic:a"))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	n, err := conn.WaitForNotification(ctx)
	if err != nil || n.Payload != "30" {
		t.Errorf("got the notification %v, %v, want 30", n, err)
	}
	if got, want := rowsOf(t.Context(), t, conn, "inbox", "projections"), "inbox: ann 20\ninbox: ann 30\nprojections: inbox 30\n"; got != want {
		t.Errorf("got the rows\n%s, want\n%s", got, want)
	}
	awaitPosition(t, p, 30) // the notice may come before the runner knows
	if got := p.Status(); got != (Status{State: StateRunning, Position: 30}) {
		t.Errorf("got the status %+v, want running at 30", got)
	}
	if got := gaugeOf(t, p.Metrics.position); got != 30 {
		t.Errorf("got the metric position %v, want 30", got)
	}
	stop()
	if got := p.Status().State; got != StateStopped {
		t.Errorf("got the state %s after the end, want stopped", got)
	}
}

func TestRunContinuesWhereItStopped(t *testing.T) {
	t.Parallel()
	log := newLog(t, publish(1, 0, "user:ann"))
	p := newInbox(freshURL(t), log)
	stop := start(t, p)
	awaitPosition(t, p, 10)
	stop()
	log.append(t, publish(2, 0, "user:ann"))
	start(t, p)
	awaitPosition(t, p, 20)
	if got, want := rowsOf(t.Context(), t, dial(t, p.DatabaseURL), "inbox"), "inbox: ann 10\ninbox: ann 20\n"; got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
}

func TestOneRunnerAtATime(t *testing.T) {
	t.Parallel()
	log := newLog(t, publish(1, 0, "user:ann"))
	url := freshURL(t)
	first, second := newInbox(url, log), newInbox(url, log)
	stopFirst := start(t, first)
	awaitState(t, first, StateRunning)
	awaitPosition(t, first, 10)
	start(t, second)
	awaitState(t, second, StateStandby)
	awaitPosition(t, second, 10) // it sees how far the other has come

	stopFirst()
	awaitState(t, second, StateRunning)
	log.append(t, publish(2, 0, "user:ann"))
	awaitPosition(t, second, 20)
}

func TestTakeOverWhenTheHoldersConnectionDies(t *testing.T) {
	t.Parallel()
	log := newLog(t)
	url := freshURL(t)
	first, second := newInbox(url, log), newInbox(url, log)
	start(t, first)
	awaitState(t, first, StateRunning)
	start(t, second)
	awaitState(t, second, StateStandby)

	conn := dial(t, url)
	for n := range 4 {
		if _, err := conn.Exec(t.Context(), `
			select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted
			and database = (select oid from pg_database where datname = current_database())`); err != nil {
			t.Fatal(err)
		}
		log.append(t, publish(n, 0, "user:ann"))
		at, _ := log.Head(t.Context())
		eventually(t, "one of them applies on", func() bool {
			return first.Status().Position >= at || second.Status().Position >= at
		})
	}
	if got, want := rowsOf(t.Context(), t, conn, "inbox"), "inbox: ann 10\ninbox: ann 20\ninbox: ann 30\ninbox: ann 40\n"; got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
}

// TestFence: a writer that believes in an old checkpoint writes nothing.
func TestFence(t *testing.T) {
	t.Parallel()
	url := freshURL(t)
	log := newLog(t, events.ItemsRead{Items: events.Items{User: "ann"}}, events.Subscribed{User: "ann", Topic: "a"}).recorded(t)
	first, second := newWriter(t, dial(t, url), 0), newWriter(t, dial(t, url), 0)
	if err := first.apply(t.Context(), spanOf(log[:1])); err != nil {
		t.Fatal(err)
	}
	before := rowsOf(t.Context(), t, first.conn)
	if err := second.apply(t.Context(), spanOf(log)); !errors.Is(err, errFenced) {
		t.Errorf("got %v, want that the second is fenced off", err)
	}
	if diff := cmp.Diff(before, rowsOf(t.Context(), t, first.conn)); diff != "" {
		t.Errorf("the second left rows:\n%s", diff)
	}
	if err := first.apply(t.Context(), spanOf(log[1:])); err != nil {
		t.Errorf("the first goes on: %v", err)
	}
}

func TestHaltsAtWhatItCannotApply(t *testing.T) {
	t.Parallel()
	good := func(n int) events.Event { return publish(n, 0, "user:ann") }
	cases := map[string]struct {
		bad  func(t *testing.T, log *testLog)
		why  string
		good func(log *testLog) // makes the log right
	}{
		"an event that cannot be decoded": {
			bad: func(_ *testing.T, log *testLog) {
				log.write(events.Stored{Type: "FromTheFuture", Stream: "x-y", Data: []byte(`{}`), Metadata: []byte(`{"schema_version":1}`)})
			},
			why: events.ErrUnknownForm.Error(),
		},
		"an event the log contradicts": {
			bad: func(t *testing.T, log *testLog) { log.append(t, events.Unsubscribed{User: "ann", Topic: "a"}) },
			why: "ann unsubscribed from a without a subscription",
		},
		"an event the tables contradict": {
			bad: func(t *testing.T, log *testLog) { log.append(t, good(0)) },
			why: "duplicate key",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := newLog(t, good(0))
			p := newInbox(freshURL(t), log)
			p.Metrics = NewMetrics(nil)
			p.BatchDelay = time.Second // the next come as one batch
			stop := start(t, p)
			awaitPosition(t, p, 10)
			for n := range 5 {
				log.append(t, good(n+1))
			}
			c.bad(t, log) // at 70
			log.append(t, good(9))
			awaitState(t, p, StateHalted)
			awaitPosition(t, p, 60)
			conn := dial(t, p.DatabaseURL)
			check := func() {
				t.Helper()
				eventually(t, "say so in the table", func() bool {
					got := rowsOf(t.Context(), t, conn, "projections")
					return strings.HasPrefix(got, "projections: inbox 60 halted 70 ") && strings.Contains(got, c.why)
				})
				if s := p.Status(); s.Position != 60 || !strings.Contains(s.Reason, c.why) {
					t.Errorf("got the status %+v, want halted after 60: %s", s, c.why)
				}
				if positions, age := p.lag.now(); positions < 10 || age <= 0 {
					t.Errorf("got a lag of %s positions and %s, want it behind by the event that halts it", positions, age)
				}
				if got := gaugeOf(t, p.Metrics.halted); got != 1 {
					t.Errorf("got the metric %v, want 1", got)
				}
			}
			check()
			if got := rowsOf(t.Context(), t, conn, "inbox"); strings.Count(got, "\n") != 6 {
				t.Errorf("got the items\n%s, want the six before the halt", got)
			}

			stop()
			p.Metrics = NewMetrics(nil)
			start(t, p) // tries again, and comes no further
			awaitState(t, p, StateHalted)
			check()
		})
	}
}

func TestAHaltEndsWithTheFault(t *testing.T) {
	t.Parallel()
	log := newLog(t, publish(1, 0, "user:ann"))
	log.write(events.Stored{Type: "FromTheFuture", Stream: "x-y", Data: []byte(`{}`), Metadata: []byte(`{"schema_version":1}`)})
	p := newInbox(freshURL(t), log)
	stop := start(t, p)
	awaitState(t, p, StateHalted)
	stop()
	log.mu.Lock()
	log.stored[1] = log.stored[0] // a program that can read it
	log.stored[1].Type, log.stored[1].Data = "StoreNamed", []byte(`{"store_id":"`+storeID.String()+`"}`)
	log.stored[1].Position = 20
	log.mu.Unlock()
	start(t, p)
	awaitPosition(t, p, 20)
	if got, want := rowsOf(t.Context(), t, dial(t, p.DatabaseURL), "projections"), "projections: inbox 20\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestACheckpointOfAnotherLogIsRefused(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		mine uuid.UUID
		log  []events.Event
		why  string
	}{
		"of another store":    {uuid.New(), []events.Event{publish(1, 0, "user:ann"), publish(2, 0, "user:ann")}, "fold of the store"},
		"above the log's end": {storeID, nil, "ahead of the store"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := freshURL(t)
			w := newWriter(t, dial(t, url), 0)
			if err := w.apply(t.Context(), spanOf(newLog(t, publish(1, 0, "user:ann")).recorded(t))); err != nil {
				t.Fatal(err)
			}
			p := newInbox(url, newLog(t, c.log...))
			p.StoreID = func(context.Context) (uuid.UUID, error) { return c.mine, nil }
			stop := start(t, p)
			awaitState(t, p, StateHalted)
			if s := p.Status(); s.Position != 10 || !strings.Contains(s.Reason, c.why) {
				t.Errorf("got the status %+v, want %q", s, c.why)
			}
			eventually(t, "say so in the table", func() bool {
				return strings.Contains(rowsOf(t.Context(), t, w.conn, "projections"), c.why)
			})
			stop()
			start(t, newInbox(url, newLog(t, publish(1, 0, "user:ann")))) // the right one, with nothing new
			eventually(t, "take it back", func() bool {
				return rowsOf(t.Context(), t, w.conn, "projections") == "projections: inbox 10\n"
			})
		})
	}
}

func TestOutlivesAStoreThatIsAway(t *testing.T) {
	t.Parallel()
	log := newLog(t, publish(1, 0, "user:ann"))
	log.err = events.ErrStoreUnavailable
	p := newInbox(freshURL(t), log)
	start(t, p)
	awaitState(t, p, StateWaitingForStore)
	log.mu.Lock()
	log.err = nil
	log.mu.Unlock()
	awaitPosition(t, p, 10)
}

func TestOutlivesARestartOfPostgres(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server, err := postgres.Start(t.Context(), postgres.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	log := newLog(t, events.Subscribed{User: "ann", Topic: "a"}, publish(1, 0, "topic:a"))
	p := newInbox(server.URL(), log)
	stop := start(t, p)
	awaitPosition(t, p, 20)
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	awaitState(t, p, StateWaitingForDatabase)
	log.append(t, publish(2, 0, "topic:a"))
	if server, err = postgres.Start(t.Context(), postgres.Options{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	}()
	awaitPosition(t, p, 30)
	conn, err := pgx.Connect(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := rowsOf(t.Context(), t, conn, "inbox"), "inbox: ann 20\ninbox: ann 30\n"; got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Error(err)
	}
	stop()
}

func TestRunSaysWhatItLacks(t *testing.T) {
	t.Parallel()
	ready := func() *Inbox { return newInbox("postgres:///x", newLog(t)) }
	cases := map[string]func(*Inbox){
		"a source":             func(p *Inbox) { p.Source = nil },
		"a store's name":       func(p *Inbox) { p.StoreID = nil },
		"a limit":              func(p *Inbox) { p.StoreLimit = -1 },
		"a database's address": func(p *Inbox) { p.DatabaseURL = "postgres://%zz" },
	}
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := ready()
			spoil(p)
			if err := p.Run(t.Context()); err == nil {
				t.Error("got no error")
			}
		})
	}
}

func TestMigrateFromSeveralProgramsAtOnceIntoASchema(t *testing.T) {
	t.Parallel()
	base := postgres.Fresh(t)
	conn := dial(t, base)
	if _, err := conn.Exec(t.Context(), "create schema v2"); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Set("search_path", "v2")
	u.RawQuery = query.Encode()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := Migrate(t.Context(), u.String()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var schemas string
	if err := one(t.Context(), conn, `select string_agg(distinct schemaname, ',') from pg_tables
		where tablename in ('inbox', 'periods', 'goose_db_version')`, nil, &schemas); err != nil {
		t.Fatal(err)
	}
	if schemas != "v2" {
		t.Errorf("got the tables in %s, want v2", schemas)
	}
}

// gaugeOf is the value of a gauge's only series.
func gaugeOf(t testing.TB, gauge prometheus.Collector) float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(gauge)
	families, err := registry.Gather()
	if err != nil || len(families) != 1 || len(families[0].GetMetric()) != 1 {
		t.Fatalf("got the families %v, %v, want one with one series", families, err)
	}
	m := families[0].GetMetric()[0]
	return m.GetGauge().GetValue() + m.GetCounter().GetValue() // one of them is absent
}

func TestMetricsStartAtZero(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	p := newInbox("postgres:///x", newLog(t))
	p.Metrics = NewMetrics(registry)
	if _, err := p.prepare(); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			of := ""
			for _, l := range m.GetLabel() {
				of += l.GetName() + "=" + l.GetValue()
			}
			got = append(got, fmt.Sprintf("%s{%s} %v %d", f.GetName(), of, m.GetGauge().GetValue(), m.GetHistogram().GetSampleCount()))
		}
	}
	want := []string{
		`tidings_projection_active{projection=inbox} 0 0`,
		`tidings_projection_append_to_inbox_seconds{projection=inbox} 0 0`,
		`tidings_projection_batch_duration_seconds{} 0 0`,
		`tidings_projection_batch_events{} 0 0`,
		`tidings_projection_cleaned_rows_total{projection=inbox} 0 0`,
		`tidings_projection_halted{projection=inbox} 0 0`,
		`tidings_projection_lag_events{projection=inbox} 0 0`,
		`tidings_projection_lag_seconds{projection=inbox} 0 0`,
		`tidings_projection_parity_differing_users{projection=inbox} 0 0`,
		`tidings_projection_paused{projection=inbox} 0 0`,
		`tidings_projection_position{projection=inbox} 0 0`,
		`tidings_projection_rebuild_left_seconds{projection=inbox} 0 0`,
		`tidings_projection_rebuild_progress_ratio{projection=inbox} 0 0`,
		`tidings_projection_rebuild_rate_events{projection=inbox} 0 0`,
		`tidings_projection_rebuild_version{projection=inbox} 0 0`,
		`tidings_projection_serving_version{projection=inbox} 0 0`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(- want, + got):\n%s", diff)
	}
}
