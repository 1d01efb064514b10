package commands

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/tidings-io/tidings/internal/events"
)

// subscriberAppends is how many entries of one bulk call are decided at once:
// enough to share fsyncs, few enough to leave room for other callers.
const subscriberAppends = 32

// Subscribers adds and removes subscribers of one topic, entry by entry: each
// user has a stream of their own, so an error leaves the entries already done
// in place, and a repeat does the rest.
type Subscribers struct {
	Topic  events.Topic
	Add    []events.User // rules of those already subscribed are kept
	Remove []events.User
}

// SubscribersReceipt counts what a Subscribers call did.
type SubscribersReceipt struct {
	Added, Removed, Unchanged int
	Position                  events.Position // the highest of all entries
}

// HandleSubscribers handles every entry, several at a time. Each entry is an
// execution of its own, so md.Attempt is used for all: their streams differ.
func HandleSubscribers(ctx context.Context, store Store, md events.Metadata, c Subscribers) (SubscribersReceipt, error) {
	var (
		mu  sync.Mutex
		sum SubscribersReceipt
	)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(subscriberAppends)
	entry := func(cmd Command[Subscription, events.SubscriptionEvent], done *int) {
		g.Go(func() error {
			r, err := Handle(ctx, store, md, cmd)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			sum.Position = max(sum.Position, r.Position)
			if !r.Changed {
				done = &sum.Unchanged
			}
			*done++
			return nil
		})
	}
	for _, user := range c.Add {
		entry(Join{User: user, Topic: c.Topic}, &sum.Added)
	}
	for _, user := range c.Remove {
		entry(Unsubscribe{User: user, Topic: c.Topic}, &sum.Removed)
	}
	err := g.Wait()
	return sum, err
}
