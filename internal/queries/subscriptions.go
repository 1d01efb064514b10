package queries

import (
	"context"
	"fmt"

	"github.com/tidings-io/tidings/internal/events"
)

// Subscription is a topic a user is subscribed to, and by which rules.
type Subscription struct {
	Topic       events.Topic    `json:"topic"`
	Since       events.Position `json:"since"` // where it began, kept through changes
	MinSeverity events.Severity `json:"min_severity"`
	Filter      string          `json:"filter,omitempty"`
	Muted       bool            `json:"muted,omitempty"` // by the user's preferences
}

var subscriptionsSQL = statement("subscriptions")

// Subscriptions is a page (limit 1..100) of what a user is subscribed to, by
// topic in the order of its bytes.
func (q *Queries) Subscriptions(ctx context.Context, user events.User, limit int, cursor string, demands ...AtLeast) (Page[Subscription], error) {
	doing := fmt.Sprintf("list the subscriptions of %s", user)
	after, err := named(doing, subscriptionsList, cursor, limit, maxLimit)
	if err != nil {
		return Page[Subscription]{}, err
	}
	return pageQuery[Subscription]{
		doing: doing, list: subscriptionsList, limit: limit, demands: demands,
		sql: subscriptionsSQL, args: []any{string(user), after, limit + 1},
		scan: func(r row) (Subscription, error) {
			var s Subscription
			err := r(&s.Topic, &s.Since, (*uint8)(&s.MinSeverity), &s.Filter, &s.Muted)
			return s, err
		},
		last: func(s Subscription) string { return string(s.Topic) },
	}.read(ctx, q)
}
