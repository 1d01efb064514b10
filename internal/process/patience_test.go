package process

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidings-io/tidings/internal/postgres"
)

// TestSilentConnectionsLoseTheirPlaces has all connections of a pool, and those that are made meanwhile, fall silent for
// good. Once Postgres can be reached again, whoever asks must be answered soon.
func TestSilentConnectionsLoseTheirPlaces(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct{ rest, within time.Duration }{
		"a question waits for them":      {0, farewellMost + connectMost},
		"they rest when they are wanted": {2 * time.Second, aliveMost + farewellMost + connectMost},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config, err := pgxpool.ParseConfig(postgres.Fresh(t))
			if err != nil {
				t.Fatal(err)
			}
			var way mutedWay
			config.MaxConns, config.ConnConfig.DialFunc = 2, way.dialing(config.ConnConfig.DialFunc)
			bound(config)
			pool, err := pgxpool.NewWithConfig(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			defer pool.Close()
			all(t, pool, 10*time.Second) // both connections are made
			way.silent.Store(true)
			if want.rest == 0 {
				all(t, pool, 200*time.Millisecond) // in vain
			} else {
				<-time.After(want.rest) // until pgx asks a connection that it takes whether it lives
			}
			way.mend()

			began := time.Now()
			for err := ask(t.Context(), pool, 5*time.Second); err != nil; err = ask(t.Context(), pool, 5*time.Second) {
				if time.Since(began) > 3*want.within { // a machine may be slower than ours
					t.Fatalf("not answered %s after Postgres could be reached: %v", time.Since(began), err)
				}
			}
			if took := time.Since(began); took > 2*want.within {
				t.Errorf("answered %s after Postgres could be reached, want it within %s", took, want.within)
			} else {
				t.Logf("answered after %s", took.Round(time.Millisecond))
			}
		})
	}
}

// all asks by all of a pool's connections at once.
func all(t *testing.T, pool *pgxpool.Pool, within time.Duration) {
	t.Helper()
	var asking sync.WaitGroup
	for range pool.Config().MaxConns {
		asking.Go(func() { _ = ask(t.Context(), pool, within) }) // some are to fail
	}
	asking.Wait()
}

func ask(ctx context.Context, pool *pgxpool.Pool, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	_, err := pool.Exec(ctx, "select pg_sleep(0.05)") // long enough for all to need a connection
	return err
}

// mutedWay is the way to a server. Connections that were made before it was mended last are silent for good.
type mutedWay struct {
	silent atomic.Bool
	mended atomic.Int64 // how often
}

func (w *mutedWay) mend() {
	w.mended.Add(1)
	w.silent.Store(false)
}

type dialFunc = func(context.Context, string, string) (net.Conn, error)

func (w *mutedWay) dialing(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return &mutedConn{conn, w, w.mended.Load()}, err
	}
}

type mutedConn struct {
	net.Conn

	way  *mutedWay
	made int64 // after how many mendings
}

// Write says nothing where it is silent.
func (c *mutedConn) Write(b []byte) (int, error) {
	if c.way.silent.Load() || c.made < c.way.mended.Load() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}
