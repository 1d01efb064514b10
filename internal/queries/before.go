package queries

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidings-io/tidings/internal/events"
)

var clockUnderSQL = statement("clock_under")

// Before is a position up to which everything was recorded before a time, by the
// clock that answers of the past go by: the highest that the tables know, 0 where they
// know of none. What was recorded between it and the time may follow it.
func (q *Queries) Before(ctx context.Context, at time.Time) (events.Position, error) {
	limited, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	var position events.Position
	err := q.pool.QueryRow(limited, clockUnderSQL, at.Truncate(time.Microsecond)).Scan(&position)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	return position, fault(ctx, "ask the clock", err)
}
