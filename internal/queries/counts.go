package queries

import (
	"context"
	"fmt"
	"time"

	"github.com/tidings-io/tidings/internal/events"
)

// InboxCounts say how much is in an inbox, archived items left out. They are
// exact.
type InboxCounts struct {
	Total  int `json:"total"`
	Unread int `json:"unread"`
	Unseen int `json:"unseen"`
}

// Counts are those of an inbox, with the position they are of: the checkpoint of
// the snapshot, or what was asked for.
type Counts struct {
	InboxCounts

	Position events.Position `json:"position"`
}

var countsSQL = statement("counts")

// Counts are those of a user's inbox, now when asOf is zero; all zero for a user
// nobody has heard of.
func (q *Queries) Counts(ctx context.Context, user events.User, asOf AsOf, demands ...AtLeast) (Counts, error) {
	doing := fmt.Sprintf("count the inbox of %s", user)
	if asOf != (AsOf{}) {
		return q.pastCounts(ctx, doing, user, asOf, demands)
	}
	var counts Counts
	at, err := q.rows(ctx, doing, demands, counts.scan, countsSQL, countsArgs(user, q.now())...)
	if err != nil {
		return Counts{}, err
	}
	counts.Position = at
	return counts, nil
}

func countsArgs(user events.User, now time.Time) []any {
	return []any{string(user), now, uint64(forEver)}
}

func (c *InboxCounts) scan(r row) error { return r(&c.Total, &c.Unread, &c.Unseen) }
