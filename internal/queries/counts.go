package queries

import (
	"context"
	"fmt"

	"github.com/tidings-io/tidings/internal/events"
)

// Counts says how much is in an inbox, archived items left out. They are exact.
type Counts struct {
	Total    int             `json:"total"`
	Unread   int             `json:"unread"`
	Unseen   int             `json:"unseen"`
	Position events.Position `json:"position"` // the checkpoint of the snapshot
}

var countsSQL = statement("counts")

// Counts are those of a user's inbox; all zero for a user nobody has heard of.
func (q *Queries) Counts(ctx context.Context, user events.User, demands ...AtLeast) (Counts, error) {
	var counts Counts
	at, err := q.rows(ctx, fmt.Sprintf("count the inbox of %s", user), demands, func(r row) error {
		return r(&counts.Total, &counts.Unread, &counts.Unseen)
	}, countsSQL, string(user), q.now())
	if err != nil {
		return Counts{}, err
	}
	counts.Position = at
	return counts, nil
}
