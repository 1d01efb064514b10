package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tidings-io/tidings/internal/events"
)

// errFenced says that another runner has moved the checkpoint.
var errFenced = errors.New("another projector has moved the checkpoint")

// unappliable is an event the projection stops at.
type unappliable struct {
	at    events.Position
	event *named    // nil where it is the checkpoint that is wrong
	since time.Time // when the store accepted it
	err   error
}

// named says which event it is.
type named struct {
	kind     string
	stream   events.StreamName
	revision events.Revision
	command  uuid.UUID // zero where the metadata cannot be read
}

func (n *named) String() string { return fmt.Sprintf("%s of %s", n.kind, n.stream) }

// keys are what the log has of it.
func (u *unappliable) keys() []any {
	keys := []any{"position", u.at}
	if u.event == nil {
		return keys
	}
	keys = append(keys, "type", u.event.kind, "stream", u.event.stream, "revision", u.event.revision)
	if u.event.command != uuid.Nil {
		keys = append(keys, "command_id", u.event.command)
	}
	return keys
}

func (u *unappliable) Error() string {
	return fmt.Sprintf("apply the event at position %s: %v", u.at, u.err)
}

// reason says which event it is; the position is said elsewhere.
func (u *unappliable) reason() string {
	if u.event == nil {
		return u.err.Error()
	}
	return u.event.String() + ": " + u.err.Error()
}

func (u *unappliable) Unwrap() error { return u.err }

// storeAway is the store's fault, not the database's.
type storeAway struct{ err error }

func (s *storeAway) Error() string { return s.err.Error() }
func (s *storeAway) Unwrap() error { return s.err }

// contradiction is a log that says what cannot be: our deciders never write it.
type contradiction struct{ reason string }

func (c *contradiction) Error() string { return "the log contradicts itself: " + c.reason }

// lasting are the classes of SQLSTATE that name a fault of the data, which will
// be there again next time: cardinality, data exception, integrity, program limit.
// All others are the database's trouble and may pass.
var lasting = []string{"21", "22", "23", "54"}

// lasts says whether an error is the events' own fault, so that trying again
// cannot help.
func lasts(ctx context.Context, conn *pgx.Conn, err error) bool {
	var (
		contradicts *contradiction
		refused     *pgconn.PgError
	)
	switch {
	case errors.As(err, &contradicts):
		return true
	case errors.As(err, &refused):
		return slices.Contains(lasting, refused.Code[:2])
	case errors.Is(err, errFenced), ctx.Err() != nil:
		return false
	default:
		return !conn.IsClosed() // not the network: a value that has no form in Postgres
	}
}
