package queries

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jackc/pgx/v5"

	"github.com/tidings-io/tidings/internal/events"
)

const (
	// channel is where the projector tells its checkpoint after each commit.
	channel = "tidings_inbox"
	// silence is how long the listening connection may be quiet before it is asked
	// whether it still lives.
	silence = 30 * time.Second
	// retryMost is the longest pause between tries to listen; polling goes on.
	retryMost = 10 * time.Second
)

// Run listens for the projector's notices, so that those who wait are woken at
// once rather than at the next look. It uses one connection of its own, comes
// back by itself when Postgres does, returns when ctx ends, and may be run again.
// Without it WaitFor works all the same, by looking.
func (q *Queries) Run(ctx context.Context) error {
	pause := backoff.NewExponentialBackOff()
	pause.MaxInterval = retryMost
	for {
		began := time.Now()
		err := q.listen(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // cut short by our own end, which is no fault
		}
		q.logger.LogAttrs(ctx, slog.LevelWarn, "not listening for the projector: polling instead", slog.Any("error", err))
		if time.Since(began) > silence {
			pause.Reset()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause.NextBackOff()):
		}
	}
}

// listen passes on what one connection hears until it breaks.
func (q *Queries) listen(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(limited, q.pool.Config().ConnConfig)
	if err != nil {
		return fmt.Errorf("connect to listen: %w", err)
	}
	defer func() {
		q.watch.forget()
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing) // nothing is lost with it
	}()
	if _, err := conn.Exec(limited, "listen "+channel); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	for {
		// At first for what was committed before, then to see that the server lives.
		if err := q.look(ctx, conn); err != nil {
			return err
		}
		if err := q.hear(ctx, conn); err != nil {
			return err
		}
	}
}

// look asks the listening connection itself for the checkpoint.
func (q *Queries) look(ctx context.Context, conn *pgx.Conn) error {
	limited, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	var at events.Position
	if err := conn.QueryRow(limited, checkpointSQL).Scan(&at, nil); err != nil {
		return fmt.Errorf("read the checkpoint: %w", err)
	}
	q.watch.hear(at)
	return nil
}

// hear passes notices on until there is silence.
func (q *Queries) hear(ctx context.Context, conn *pgx.Conn) error {
	for {
		limited, cancel := context.WithTimeout(ctx, silence)
		notice, err := conn.WaitForNotification(limited)
		quiet := limited.Err() != nil && ctx.Err() == nil
		cancel()
		switch {
		case quiet:
			return nil
		case err != nil:
			return fmt.Errorf("wait for a notice: %w", err)
		}
		at, err := events.ParsePosition(notice.Payload)
		if err != nil {
			return fmt.Errorf("read a notice on %s: %w", channel, err)
		}
		q.watch.hear(at)
	}
}
