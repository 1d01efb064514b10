package queries

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tidings-io/tidings/internal/events"
)

// What a query can answer instead.
var (
	// ErrUnavailable: Postgres is away, not set up yet, or too slow. Trying again
	// may help.
	ErrUnavailable = errors.New("the read model is away")
	// ErrNotYetProjected: the read model is older than the caller asked for.
	ErrNotYetProjected = errors.New("the read model has not passed that position yet")
	// ErrNotFound: the read model knows nothing of that name or id.
	ErrNotFound = errors.New("not in the read model")
	// ErrBadCursor: the cursor is not one this query has given.
	ErrBadCursor = errors.New("not a cursor of this list")
	// ErrAhead: an answer was asked for as of a time or a position that has not come
	// yet.
	ErrAhead = errors.New("that has not come yet")
	// ErrTooFar: an answer of the past has to be folded from the log, and there was
	// not time enough.
	ErrTooFar = errors.New("too much of the log would have to be read")
	// ErrBadLimit: the limit is outside what the query allows.
	ErrBadLimit = errors.New("the limit is out of range")
)

// AtLeast demands that the answering snapshot is at this position or above it;
// otherwise the query answers ErrNotYetProjected. Several demands must all hold.
type AtLeast events.Position

// check says whether a snapshot at this position meets all demands.
func check(snapshot events.Position, demands []AtLeast) error {
	for _, d := range demands {
		if snapshot < events.Position(d) {
			return fmt.Errorf("%w: at %s, asked for %s", ErrNotYetProjected, snapshot, events.Position(d))
		}
	}
	return nil
}

// transient are the SQLSTATEs and classes of a server that cannot answer now.
var transient = map[string]bool{
	"08":    true, // connection exceptions
	"53":    true, // insufficient resources
	"57":    true, // operator intervention: shutting down, starting up, statement timeout
	"58":    true, // system errors
	"3D000": true, // the database is not there (yet)
	"3F000": true, // the schema is not there (yet)
	"42P01": true, // a table is not there (yet)
	"42703": true, // a column is not there (yet)
	"25006": true, // read-only: a replica that cannot do this
}

// fault wraps what pgx answered with what was being done, and marks it as
// ErrUnavailable where the server or the way to it is the cause.
func fault(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	gone := errors.Is(ctx.Err(), context.Canceled) // the caller, that is
	if gone || !passes(err) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return fmt.Errorf("%s: %w: %w", doing, ErrUnavailable, err)
}

// passes says whether the error is of the kind that passes by itself: everything
// but a statement refused for its own sake, a row that does not fit our types, and a
// demand that was not met.
func passes(err error) bool {
	if errors.Is(err, ErrNotYetProjected) {
		return false
	}
	if _, misfit := errors.AsType[pgx.ScanArgError](err); misfit {
		return false
	}
	var refusal *pgconn.PgError
	if !errors.As(err, &refusal) {
		return true
	}
	class := refusal.Code[:min(2, len(refusal.Code))]
	return transient[refusal.Code] || transient[class]
}
