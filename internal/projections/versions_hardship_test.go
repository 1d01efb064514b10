package projections

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/postgres"
)

// inSchema is a database URL whose base schema is another one, which is made.
func inSchema(t testing.TB, database, schema string) string {
	t.Helper()
	name := pgx.Identifier{schema}.Sanitize()
	if err := exec(t.Context(), dial(t, database), "create schema "+name); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Set("search_path", name)
	u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20") // as libpq reads it
	return u.String()
}

func TestBaseSchemasWithOddNames(t *testing.T) {
	t.Parallel()
	for name, schema := range map[string]string{
		"quotes and capitals": `O'Brien "the" Base\; %I`,
		"forty characters":    strings.Repeat("abcdefghij", 4),
		"as long as may be":   strings.Repeat("x", maxIdentifier-len("_inbox_2")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := crowded(t)
			at := inSchema(t, postgres.Fresh(t), schema)
			conn := dial(t, at)
			keep(t, newVersions(at, log))
			awaitServed(t, conn, log.head())
			log.order(t, rebuilt(2))
			awaitRegistry(t, conn, "1 kept, 2 serving running")
			log.order(t, events.VersionDropped{Order: ordered, Version: 1})
			awaitRegistry(t, conn, "2 serving running")
			if got := rowsOf(t.Context(), t, conn, "inbox"); !strings.Contains(got, "u39") {
				t.Errorf("got the inbox\n%s", got)
			}
		})
	}
}

func TestABaseSchemaWithTooLongAName(t *testing.T) {
	t.Parallel()
	at := inSchema(t, postgres.Fresh(t), strings.Repeat("x", maxIdentifier))
	v := newVersions(at, crowded(t))
	keep(t, v)
	eventually(t, "say what is wrong", func() bool {
		return strings.Contains(v.Status().Reason, "too long: give the database URL a shorter search_path")
	})
}

// TestTablesOfBeforeThereWereVersions give way to the views, with all in them.
func TestTablesOfBeforeThereWereVersions(t *testing.T) {
	long(t)
	t.Parallel()
	log := crowded(t)
	at := freshURL(t) // the tables stand in the base schema
	conn := dial(t, at)
	for _, sql := range []string{
		"create table topic_targets (topic_id bigint)", "create table mine (id bigint)",
		"insert into projections (name, store_id, position) values ('inbox', gen_random_uuid(), 7000)",
	} {
		if err := exec(t.Context(), conn, sql); err != nil {
			t.Fatal(err)
		}
	}
	keep(t, newVersions(at, log))
	awaitRegistry(t, conn, "1 serving running")
	var tables string
	err := one(t.Context(), conn, `
		select string_agg(relname, ' ' order by relname) from pg_class
		where relnamespace = current_schema()::regnamespace and relkind = 'r'`, nil, &tables)
	if want := "mine parity parity_differences versions versions_goose"; err != nil || tables != want {
		t.Errorf("got the tables %s, %v, want %s", tables, err, want)
	}
	if got := rowsOf(t.Context(), t, conn, "inbox"); !strings.Contains(got, "u39") {
		t.Errorf("got the inbox\n%s", got)
	}
}

// TestTheBaseSchemaIsLost: registry and views are made again by what was ordered.
func TestTheBaseSchemaIsLost(t *testing.T) {
	long(t)
	t.Parallel()
	log := crowded(t)
	at := postgres.Fresh(t)
	conn := dial(t, at)
	stop := keep(t, newVersions(at, log))
	awaitRegistry(t, conn, "1 serving running")
	log.order(t, rebuilt(2))
	awaitRegistry(t, conn, "1 kept, 2 serving running")
	stop()
	if err := exec(t.Context(), conn, "drop schema public cascade"); err != nil {
		t.Fatal(err)
	}
	if err := exec(t.Context(), conn, "create schema public"); err != nil {
		t.Fatal(err)
	}
	log.append(t, publish(9, 0, "user:zoe"))
	keep(t, newVersions(at, log))
	awaitServed(t, conn, log.head())
	awaitRegistry(t, conn, "2 serving running")
	if got := rowsOf(t.Context(), t, conn, "inbox"); !strings.Contains(got, "zoe") || !strings.Contains(got, "u39") {
		t.Errorf("got the inbox\n%s", got)
	}
}

// TestAnotherStoresReadModel is not folded on; a rebuild gets out of it.
func TestAnotherStoresReadModel(t *testing.T) {
	long(t)
	t.Parallel()
	log := crowded(t)
	at := postgres.Fresh(t)
	conn := dial(t, at)
	v := newVersions(at, log)
	stop := keep(t, v)
	awaitServed(t, conn, log.head())
	stop()
	log = newLog(t, publish(77, 0, "user:yan"))
	v = newVersions(at, log)
	other := uuid.New()
	v.StoreID = func(context.Context) (uuid.UUID, error) { return other, nil }
	keep(t, v)
	awaitRegistry(t, conn, "1 serving halted")
	if s := v.Status(); s.State != StateHalted || !strings.Contains(s.Reason, "fold of the store") || !strings.Contains(s.Reason, "rebuild") {
		t.Errorf("got the status %+v, want why and what to do", s)
	}
	log.order(t, rebuilt(2))
	awaitRegistry(t, conn, "1 kept, 2 serving running")
	if got, want := rowsOf(t.Context(), t, conn, "inbox"), "inbox: yan 10\n"; got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
}

// TestPostgresGoesAwayWhileAVersionIsBuilt: restarted, or all connections ended.
func TestPostgresGoesAwayWhileAVersionIsBuilt(t *testing.T) {
	t.Parallel()
	for name, restart := range map[string]bool{"restarted": true, "connections ended": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := crowded(t)
			dir := t.TempDir()
			server, err := postgres.Start(t.Context(), postgres.Options{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := server.Stop(); err != nil {
					t.Error(err)
				}
			}()
			v := newVersions(server.URL(), log)
			v.BatchEvents = 1
			var once sync.Once
			building, release := make(chan struct{}), make(chan struct{})
			v.transform = map[int]func(events.Recorded) events.Recorded{2: func(r events.Recorded) events.Recorded {
				if r.Position == 200 {
					once.Do(func() {
						close(building)
						<-release
					})
				}
				return r
			}}
			stop := keep(t, v)
			defer stop() // before the server
			before := dial(t, server.URL())
			awaitRegistry(t, before, "1 serving running")
			log.order(t, rebuilt(2))
			<-building
			if restart {
				if err := server.Stop(); err != nil {
					t.Fatal(err)
				}
				close(release)
				awaitStatus(t, v, StateWaitingForDatabase)
				if server, err = postgres.Start(t.Context(), postgres.Options{Dir: dir}); err != nil {
					t.Fatal(err)
				}
			} else {
				const all = "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()"
				if err := exec(t.Context(), before, all); err != nil {
					t.Fatal(err)
				}
				close(release)
			}
			conn := dial(t, server.URL())
			awaitRegistry(t, conn, "1 kept, 2 serving running")
			awaitServed(t, conn, log.head())
			if got, want := parityOf(t, conn, 2), "0 of 41 users differ from version 1"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func awaitStatus(t testing.TB, v *Versions, state State) {
	t.Helper()
	eventually(t, "be "+string(state), func() bool { return v.Status().State == state })
}
