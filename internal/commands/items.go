package commands

import (
	"context"
	"fmt"

	"github.com/tidings-io/tidings/internal/events"
)

// RecordItems appends what a user's device says it did to items of their inbox.
// It is a fact, not a question, so nothing is folded and nothing expected: the
// last position wins. The event's id is fixed by md.Attempt, so a retry of the
// append is recognised by the store.
func RecordItems(ctx context.Context, store Store, md events.Metadata, e events.InboxEvent) (events.Position, error) {
	stream := events.InboxStream(e.On().User)
	proposed, err := events.Encode(e, stream, 0, md)
	if err != nil {
		return 0, err
	}
	appended, err := store.Append(ctx, stream, events.Any(), proposed)
	if err != nil {
		return 0, fmt.Errorf("append to %s: %w", stream, err)
	}
	return appended.Position, nil
}
