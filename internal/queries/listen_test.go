package queries

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/postgres"
	"github.com/tidings-io/tidings/internal/projections"
)

func TestWhatWasHeardIsForgottenWithTheConnection(t *testing.T) {
	t.Parallel()
	url := postgres.Fresh(t)
	if err := projections.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if _, err := pool.Exec(t.Context(), "insert into projections (name, store_id, position) values ('inbox', gen_random_uuid(), 5)"); err != nil {
		t.Fatal(err)
	}

	q := New(pool, Options{Poll: time.Millisecond})
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	ran := make(chan error, 1)
	go func() { ran <- q.Run(ctx) }()
	for q.watch.known() != 5 && ctx.Err() == nil {
		runtime.Gosched()
	}
	stop()
	if err := <-ran; err != nil {
		t.Error(err)
	}

	// A server that crashed may have lost its last commits.
	if _, err := pool.Exec(t.Context(), "update projections set position = 3"); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := q.WaitFor(short, 5); !errors.Is(err, ErrNotYetProjected) {
		t.Errorf("got %v, want %v", err, ErrNotYetProjected)
	}
}

// known is what the listening connection knows.
func (w *watch) known() events.Position {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.heard
}
