package commands

import (
	"context"
	"fmt"

	"github.com/tidings-io/tidings/internal/events"
)

// RecordItems appends what a user's device says it did to items of their inbox.
func RecordItems(ctx context.Context, store Store, md events.Metadata, e events.InboxEvent) (events.Position, error) {
	return record(ctx, store, md, events.InboxStream(e.On().User), e)
}

// RevokeTokens refuses the tokens of a user that were issued before now. Each call
// moves that moment on.
func RevokeTokens(ctx context.Context, store Store, md events.Metadata, e events.TokensRevoked) (events.Position, error) {
	return record(ctx, store, md, events.TokensStream(e.User), e)
}

// record appends a fact. It is not a question, so nothing is folded and nothing
// expected: the last position wins. The event's id is fixed by md.Attempt, so a
// retry of the append is recognised by the store.
func record(ctx context.Context, store Store, md events.Metadata, stream events.StreamName, e events.Event) (events.Position, error) {
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
