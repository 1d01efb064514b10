package esdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/tidings-io/tidings/internal/events"
)

// maxFailures is how often an append is tried again after the store has
// answered that it failed inside.
const maxFailures = 3

// Append writes all events or none, durably before it returns. Its errors are
// events.ErrWrongRevision, ErrStreamDeleted and ErrTooLarge;
// ErrStoreUnavailable, only if certainly nothing was written, be the store away
// or its disk full; and ErrOutcomeUnknown, when the connection broke in the middle and the same events,
// sent again until the deadline, did not get through either.
//
// Sending the same events again, here or by the caller, writes them once: the
// store compares ids. (With events.Any a real EventStoreDB node forgets those
// ids when it restarts; the embedded node does not.)
func (s *Store) Append(
	ctx context.Context, stream events.StreamName, expected events.Expected, evs ...events.Proposed,
) (events.Appended, error) {
	began := time.Now()
	ctx, span := s.trace(ctx, stream, len(evs))
	appended, err := s.append(ctx, stream, expected, evs)
	s.metrics.append(ctx, time.Since(began))
	endAppend(span, appended, err)
	if err != nil {
		return events.Appended{}, fmt.Errorf("append to %s: %w", stream, err)
	}
	return appended, nil
}

func (s *Store) append(
	ctx context.Context, stream events.StreamName, expected events.Expected, evs []events.Proposed,
) (events.Appended, error) {
	if err := events.CheckAppend(stream, evs); err != nil {
		return events.Appended{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.AppendTimeout)
	defer cancel()
	data := proposed(evs)
	var doubt error // the first that leaves open whether the events were written
	failures := 0
	for wait := newBackoff(time.Second); ; {
		c, err := s.acquire(ctx, doubt != nil)
		if err != nil {
			return events.Appended{}, outcome(ctx, doubt, err)
		}
		result, err := s.send(ctx, c, stream, expected, data)
		f, err := judge(err)
		switch f {
		case done:
			return events.Appended{
				Revision: events.Revision(result.NextExpectedVersion), Position: events.Position(result.CommitPosition),
			}, nil
		case refused:
			return events.Appended{}, refusal(doubt, err)
		case failed:
			failures++
			doubt = first(doubt, err)
		case doubted:
			doubt = first(doubt, err)
		case unsent:
		}
		if failures == maxFailures {
			return events.Appended{}, outcome(ctx, doubt, err)
		}
		if sleep(ctx, wait.NextBackOff()) != nil {
			return events.Appended{}, outcome(ctx, doubt, err)
		}
	}
}

func (s *Store) send(
	ctx context.Context, c *connection, stream events.StreamName, expected events.Expected, data []client.EventData,
) (*client.WriteResult, error) {
	options := client.AppendToStreamOptions{ExpectedRevision: expectation(expected), Deadline: &s.options.AppendTimeout}
	result, err := call(ctx, s, c, func(ctx context.Context, cl *client.Client) (*client.WriteResult, error) {
		return cl.AppendToStream(ctx, string(stream), options, data...) // judged by its form
	})
	s.learn(c, err)
	return result, err
}

// outcome is what to say of an append that got no answer.
func outcome(ctx context.Context, doubt, err error) error {
	switch {
	case doubt != nil && ctx.Err() != nil:
		return fmt.Errorf("%w: %w: %w", events.ErrOutcomeUnknown, doubt, ctx.Err())
	case doubt != nil:
		return fmt.Errorf("%w: %w", events.ErrOutcomeUnknown, doubt)
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err() // Append wraps it
	case errors.Is(err, events.ErrStoreUnavailable):
		return err
	default:
		return fmt.Errorf("%w: %w", events.ErrStoreUnavailable, err)
	}
}

// refusal is what to say of an append the store refused. After an attempt in
// doubt only a refusal that excludes its success is the whole truth: had that
// attempt been written, the same ids would have been recognised.
func refusal(doubt, err error) error {
	if doubt == nil || errors.Is(err, events.ErrWrongRevision) {
		return err
	}
	// Not wrapped: it may be a kind of error that says for certain that nothing was written.
	return fmt.Errorf("%w: %w; then: %s", events.ErrOutcomeUnknown, doubt, err.Error())
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func proposed(evs []events.Proposed) []client.EventData {
	data := make([]client.EventData, len(evs))
	for n, e := range evs {
		data[n] = client.EventData{
			EventID: e.ID, EventType: e.Type, ContentType: client.ContentTypeJson, Data: e.Data, Metadata: e.Metadata,
		}
	}
	return data
}

func expectation(e events.Expected) client.ExpectedRevision {
	switch e.Kind {
	case events.ExpectNoStream:
		return client.NoStream{}
	case events.ExpectExact:
		return client.Revision(uint64(e.Revision))
	default:
		return client.Any{}
	}
}
