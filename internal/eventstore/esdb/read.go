package esdb

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/tidings-io/tidings/internal/events"
)

// Read yields a stream's events from a revision on, forwards; nothing for a
// stream that does not exist. A connection that breaks is replaced and the read
// goes on behind the last event yielded. An error is the last thing it yields:
// ctx's, events.ErrStreamDeleted, or events.ErrStoreUnavailable.
func (s *Store) Read(ctx context.Context, stream events.StreamName, from events.Revision) iter.Seq2[events.Stored, error] {
	return func(yield func(events.Stored, error) bool) {
		open := func(ctx context.Context, cl *client.Client) (receive, error) {
			return fromStream(ctx, cl, stream, from)
		}
		err := s.read(ctx, open, func(m events.Message) bool {
			from = m.Event.Revision + 1
			return yield(*m.Event, nil)
		})
		if err != nil {
			yield(events.Stored{}, fmt.Errorf("read %s: %w", stream, err))
		}
	}
}

// ReadAll yields the events after a position that the filter picks, oldest
// first, up to the head as of the call. The store does most of the filtering.
// Breaks and errors are those of Read.
func (s *Store) ReadAll(ctx context.Context, after events.Position, f events.Filter) iter.Seq2[events.Stored, error] {
	return func(yield func(events.Stored, error) bool) {
		if err := s.readAll(ctx, after, f, func(e events.Stored) bool { return yield(e, nil) }); err != nil {
			yield(events.Stored{}, fmt.Errorf("read the log after %s: %w", after, err))
		}
	}
}

func (s *Store) readAll(ctx context.Context, after events.Position, f events.Filter, yield func(events.Stored) bool) error {
	head, err := s.Head(ctx)
	if err != nil || after >= head {
		return err
	}
	revision := events.Revision(0)
	open := func(ctx context.Context, cl *client.Client) (receive, error) {
		switch {
		case f.Stream != "":
			return fromStream(ctx, cl, f.Stream, revision)
		case f.Type != "":
			return fromSubscription(ctx, cl, after, &client.SubscriptionFilter{
				Type: client.EventFilterType, Prefixes: []string{f.Type},
			})
		case f.Category != "":
			return fromSubscription(ctx, cl, after, &client.SubscriptionFilter{
				Type: client.StreamFilterType, Prefixes: []string{f.Category},
			})
		default:
			return fromLog(ctx, cl, after)
		}
	}
	return s.read(ctx, open, func(m events.Message) bool {
		if m.Event == nil {
			after = max(after, m.Checkpoint)
			return !m.CaughtUp && after < head
		}
		at := m.Event.Position
		revision = m.Event.Revision + 1
		if at > head {
			return false
		}
		if at <= after {
			return true
		}
		after = at
		return (!f.Match(*m.Event) || yield(*m.Event)) && at < head
	})
}

// Head is the position of the last event in the log, of whatever kind; 0 when
// the log is empty.
func (s *Store) Head(ctx context.Context) (events.Position, error) {
	var head events.Position
	err := s.read(ctx, fromEnd, func(m events.Message) bool {
		head = m.Event.Position
		return false
	})
	if err != nil {
		return 0, fmt.Errorf("read the head of the log: %w", err)
	}
	return head, nil
}

// read gives the messages of a stream to take until that says no or the stream
// ends. When the connection breaks, the stream is opened again: open must begin
// behind what take has had. Waiting for one message, all breaks included, takes
// no longer than the read timeout.
func (s *Store) read(ctx context.Context, open opening, take func(events.Message) bool) error {
	limit := time.Now().Add(s.options.ReadTimeout)
	for wait := newBackoff(time.Second); ; {
		waiting, cancel := context.WithDeadlineCause(ctx, limit, errSilent)
		c, err := s.acquire(waiting, false)
		cancel()
		if err != nil {
			return away(ctx, err)
		}
		if err = s.readOnce(ctx, c, open, take, &limit); err == nil {
			return nil
		}
		s.learn(c, err)
		if f, told := judge(err); f == refused {
			return told
		}
		if ctx.Err() != nil || errors.Is(err, errSilent) || errors.Is(err, errPanic) {
			return away(ctx, err)
		}
		if pause := wait.NextBackOff(); time.Until(limit) < pause || sleep(ctx, pause) != nil {
			return away(ctx, err)
		}
	}
}

// readOnce reads on one connection. Each message moves the limit for the next.
func (s *Store) readOnce(
	ctx context.Context, c *connection, open opening, take func(events.Message) bool, limit *time.Time,
) error {
	f := s.open(ctx, c, open)
	defer f.close()
	for {
		m, err := f.next(*limit)
		if isEnd(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if !take(m) {
			return nil
		}
		*limit = time.Now().Add(s.options.ReadTimeout)
	}
}

// away is what to say of a read that got no answer.
func away(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err() // the exported methods wrap it
	case errors.Is(err, events.ErrStoreUnavailable):
		return err
	default:
		return fmt.Errorf("%w: %w", events.ErrStoreUnavailable, err)
	}
}

func fromStream(ctx context.Context, cl *client.Client, stream events.StreamName, from events.Revision) (receive, error) {
	return counted(cl.ReadStream(ctx, string(stream), client.ReadStreamOptions{
		Direction: client.Forwards, From: client.Revision(uint64(from)),
	}, math.MaxInt64))
}

func fromLog(ctx context.Context, cl *client.Client, after events.Position) (receive, error) {
	return counted(cl.ReadAll(ctx, client.ReadAllOptions{Direction: client.Forwards, From: place(after)}, math.MaxInt64))
}

func fromEnd(ctx context.Context, cl *client.Client) (receive, error) {
	return counted(cl.ReadAll(ctx, client.ReadAllOptions{Direction: client.Backwards, From: client.End{}}, 1))
}

func counted(stream *client.ReadStream, err error) (receive, error) {
	if err != nil {
		return nil, err
	}
	return func() (events.Message, error) {
		e, err := stream.Recv()
		if err != nil {
			return events.Message{}, err // judged by its form
		}
		return message(e)
	}, nil
}

func message(e *client.ResolvedEvent) (events.Message, error) {
	s, err := stored(e)
	if err != nil {
		return events.Message{}, err
	}
	return events.Message{Event: &s}, nil
}

// place is a position as the client wants it; nothing stands at 0.
func place(after events.Position) client.AllPosition {
	if after == 0 {
		return client.Start{}
	}
	return client.Position{Commit: uint64(after), Prepare: uint64(after)}
}
