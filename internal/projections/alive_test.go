package projections

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidings-io/tidings/internal/events"
)

// runnersConnection is one as a runner has it, with what the database does to runners.
func runnersConnection(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	config, err := connConfig(url, "")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := connect(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { disconnect(t.Context(), conn) })
	return conn
}

func TestARunnerThatSaysNothingLosesItsLock(t *testing.T) {
	t.Parallel()
	url := freshURL(t)
	frozen := runnersConnection(t, url)
	var mine bool
	if err := one(t.Context(), frozen, sqlLockTry, []any{inboxName}, &mine); err != nil || !mine {
		t.Fatalf("take the lock: got %t, %v", mine, err)
	}
	w := newWriter(t, frozen, DefaultStoreLimit)

	log := newLog(t, events.Subscribed{User: "ann", Topic: "a"}, publish(1, 0, "topic:a"))
	other := newInbox(url, log)
	start(t, other)
	awaitState(t, other, StateStandby)
	awaitState(t, other, StateRunning)
	awaitPosition(t, other, 2)
	if err := w.apply(t.Context(), span{through: 1}); err == nil {
		t.Error("the first wrote once it spoke again, want it to have lost its connection")
	}
}

func TestWhileAlive(t *testing.T) {
	t.Parallel()
	url := freshURL(t)
	t.Run("the database hears of a runner that does something else", func(t *testing.T) {
		t.Parallel()
		conn, clock := runnersConnection(t, url), dial(t, url)
		const longer = "7 seconds" // than it keeps one that says nothing
		err := whileAlive(t.Context(), conn, func(ctx context.Context) error {
			eventually(t, "pass "+longer, func() (over bool) {
				err := one(ctx, clock, "select now() > backend_start + $2::text::interval from pg_stat_activity where pid = $1",
					[]any{conn.PgConn().PID(), longer}, &over)
				return err != nil || over
			})
			return nil
		})
		if err == nil {
			err = alive(t.Context(), conn)
		}
		if err != nil {
			t.Errorf("got %v, want the connection to be there still", err)
		}
	})
	t.Run("what is done ends with the connection", func(t *testing.T) {
		t.Parallel()
		conn, other := runnersConnection(t, url), dial(t, url)
		err := whileAlive(t.Context(), conn, func(ctx context.Context) error {
			if err := exec(ctx, other, "select pg_terminate_backend($1)", conn.PgConn().PID()); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(patience):
				t.Errorf("it still went on %s after the connection was lost", patience)
				return nil
			}
		})
		if err == nil || !strings.Contains(err.Error(), "see whether Postgres is there") {
			t.Errorf("got %v, want to be told that the connection is lost", err)
		}
	})
	t.Run("what is done fails for its own reasons", func(t *testing.T) {
		t.Parallel()
		conn := runnersConnection(t, url)
		err := whileAlive(t.Context(), conn, func(context.Context) error { return errFenced })
		if err != errFenced { //nolint:errorlint // it is not to be wrapped
			t.Errorf("got %v, want %v", err, errFenced)
		}
	})
}
