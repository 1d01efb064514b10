package process

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidings-io/tidings/internal/postgres"
)

func TestWhetherPostgresIsThereIsAskedBesideThePool(t *testing.T) {
	t.Parallel()
	config, err := pgxpool.ParseConfig(postgres.Fresh(t))
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = 1
	registry := newRegistry()
	d, err := openDatabase(t.Context(), config, registry, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	is := func(what, name, label string, want float64) {
		t.Helper()
		if got := valueOf(t, registry, name, label); got != want {
			t.Errorf("%s: got %s %s %v, want %v", what, name, label, got, want)
		}
	}
	held, err := d.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release() // else the pool would not close when this fails
	eventually(t, "Postgres answers", func() bool { return valueOf(t, registry, "tidings_postgres_connected", "") == 1 })
	is("the pool is in use as a whole", "tidings_postgres_connections", "acquired", 1)
	is("the pool is in use as a whole", "tidings_postgres_connections", "idle", 0)
	is("the pool is in use as a whole", "tidings_postgres_connections_max", "", 1)
	held.Release()
	d.probe.Close()
	eventually(t, "Postgres does not answer", func() bool { return valueOf(t, registry, "tidings_postgres_connected", "") == 0 })
}
