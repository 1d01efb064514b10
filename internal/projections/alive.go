package projections

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// aliveTimeout is how long the database may take to say that it is there: more than a
// slow way to it and a busy machine take together, and no more than it waits for us.
const aliveTimeout = 5 * time.Second

// alive sees whether the connection is, and tells the database that we are.
func alive(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, aliveTimeout)
	defer cancel()
	if err := conn.Ping(ctx); err != nil {
		return fmt.Errorf("see whether Postgres is there: %w", err)
	}
	return nil
}

// whileAlive does something that must not use the connection, and sees meanwhile that
// it is alive: a session that says nothing loses its lock. When it is not, ctx ends for
// what is done, and that is the error.
func whileAlive(ctx context.Context, conn *pgx.Conn, do func(context.Context) error) error {
	doing, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	var (
		watch sync.WaitGroup
		lost  error
	)
	watch.Go(func() {
		again := time.NewTicker(idleEvery)
		defer again.Stop()
		for {
			select {
			case <-done:
				return
			case <-again.C:
			}
			if lost = alive(ctx, conn); lost != nil {
				cancel()
				return
			}
		}
	})
	err := do(doing)
	close(done)
	watch.Wait()
	if lost != nil {
		return lost
	}
	if err == nil {
		err = ctx.Err()
	}
	return err
}
