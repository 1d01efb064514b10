package esdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/tidings-io/tidings/internal/events"
)

// window is how many events of the log the store looks at between two
// checkpoints of a filtered subscription: a checkpoint is worth a write of its
// reader, so they are rare.
const window = 1000

// Subscribe yields everything after a position and then what is appended, in
// order, each event once, but for events of the store itself ("$…"), for whom
// the store now and then yields a checkpoint. It survives the store going away
// for however long: it connects again, with jittered backoff, and goes on behind
// the last event or checkpoint it yielded. After each connection CaughtUp comes
// again.
//
// It goes on until ctx ends or the store is closed; that error is the last thing
// it yields, and the only one.
func (s *Store) Subscribe(ctx context.Context, after events.Position) iter.Seq2[events.Message, error] {
	return s.subscribe(ctx, after, client.ExcludeSystemEventsFilter())
}

// SubscribeTo is Subscribe for the streams of some categories: the store picks them,
// so that what is rare costs little to follow. It yields a checkpoint now and then
// for what it leaves out.
func (s *Store) SubscribeTo(ctx context.Context, after events.Position, categories ...string) iter.Seq2[events.Message, error] {
	prefixes := make([]string, len(categories))
	for i, category := range categories {
		prefixes[i] = category + "-"
	}
	return s.subscribe(ctx, after, &client.SubscriptionFilter{Type: client.StreamFilterType, Prefixes: prefixes})
}

func (s *Store) subscribe(ctx context.Context, after events.Position, filter *client.SubscriptionFilter) iter.Seq2[events.Message, error] {
	return func(yield func(events.Message, error) bool) {
		err := s.follow(ctx, after, filter, func(m events.Message) bool { return yield(m, nil) })
		if err != nil {
			yield(events.Message{}, fmt.Errorf("follow the log: %w", err))
		}
	}
}

// follow returns nil when yield says no.
func (s *Store) follow(
	ctx context.Context, after events.Position, filter *client.SubscriptionFilter, yield func(events.Message) bool,
) error {
	at := after
	for wait := newBackoff(2 * time.Second); ; {
		c, err := s.acquire(ctx, true)
		switch {
		case errors.Is(err, errClosed) || ctx.Err() != nil:
			return err
		case err == nil:
			began, since := at, time.Now()
			if err = s.followOnce(ctx, c, &at, filter, yield); err == nil {
				return nil
			}
			s.learn(c, err)
			s.options.Logger.Debug("a subscription broke", "position", at, "error", err)
			if at != began || time.Since(since) > steady {
				wait.Reset()
			}
		}
		if err := sleep(ctx, wait.NextBackOff()); err != nil {
			return err
		}
	}
}

// followOnce follows on one connection; at is moved along.
func (s *Store) followOnce(
	ctx context.Context, c *connection, at *events.Position, filter *client.SubscriptionFilter, yield func(events.Message) bool,
) error {
	start := *at
	f := s.open(ctx, c, func(ctx context.Context, cl *client.Client) (receive, error) {
		return fromSubscription(ctx, cl, start, filter)
	})
	defer f.close()
	if err := f.accepted(time.Now().Add(s.options.ReadTimeout)); err != nil {
		return err
	}
	for {
		m, err := f.next(time.Time{})
		if err != nil {
			return err
		}
		if !m.CaughtUp {
			if to := through(m); to > *at {
				*at = to
			} else {
				continue // what has been yielded is not repeated
			}
		}
		if !yield(m) {
			return nil
		}
	}
}

// through is the position up to which a message moves its reader.
func through(m events.Message) events.Position {
	if m.Event != nil {
		return m.Event.Position
	}
	return m.Checkpoint
}

func fromSubscription(ctx context.Context, cl *client.Client, after events.Position, f *client.SubscriptionFilter) (receive, error) {
	sub, err := cl.SubscribeToAll(ctx, client.SubscribeToAllOptions{
		From: place(after), Filter: f, MaxSearchWindow: window, CheckpointInterval: 1,
	})
	if err != nil {
		return nil, err // judged by its form
	}
	return func() (events.Message, error) {
		for {
			switch e := sub.Recv(); {
			case e.SubscriptionDropped != nil:
				return events.Message{}, dropped(e.SubscriptionDropped.Error)
			case e.EventAppeared != nil:
				return message(e.EventAppeared)
			case e.CaughtUp != nil:
				return events.Message{CaughtUp: true}, nil
			case e.CheckPointReached != nil:
				// A server may send 2^64-1 when it has nothing better to say.
				if at := e.CheckPointReached.Commit; at != math.MaxUint64 && at <= uint64(events.MaxPosition) {
					return events.Message{Checkpoint: events.Position(at)}, nil
				}
			}
		}
	}, nil
}

// dropped is why a subscription ended. A subscription has no end of its own:
// where the store gives none, it is cut short.
func dropped(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
