// Package memory is the reference event store: the log as a slice, appended to
// under a mutex. It keeps every promise of the durable stores but durability,
// and is what their answers are compared with.
package memory

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
)

// tick is the precision of EventStoreDB's clock.
const tick = 100 * time.Nanosecond

// Store is an event store in memory. The zero value is empty and ready; all
// methods may be called from several goroutines at once.
type Store struct {
	mu      sync.Mutex
	log     []events.Stored                   // only ever appended to; position p stands at index p-1
	streams map[events.StreamName][]uuid.UUID // each stream's event ids, by revision
	places  map[events.StreamName][]events.Position
	grown   chan struct{} // closed when the log grows; nil while nobody waits
}

// Append writes all events or none. Its answers are those of EventStoreDB,
// including that of an append repeated with the same ids, which writes nothing
// and succeeds. Each event needs an id and a type; an append needs an event.
func (s *Store) Append(
	ctx context.Context, stream events.StreamName, expected events.Expected, evs ...events.Proposed,
) (events.Appended, error) {
	if err := ctx.Err(); err != nil {
		return events.Appended{}, fmt.Errorf("append to %s: %w", stream, err)
	}
	if err := events.CheckAppend(stream, evs); err != nil {
		return events.Appended{}, fmt.Errorf("append to %s: %w", stream, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	last, repeated, err := judge(s.streams[stream], expected, evs)
	if err != nil {
		return events.Appended{}, fmt.Errorf("append to %s: %w", stream, err)
	}
	if !repeated {
		s.write(stream, evs)
	}
	return events.Appended{Revision: events.Revision(last), Position: s.places[stream][last]}, nil
}

// write appends to the log; s.mu must be held.
func (s *Store) write(stream events.StreamName, evs []events.Proposed) {
	if s.streams == nil {
		s.streams = map[events.StreamName][]uuid.UUID{}
		s.places = map[events.StreamName][]events.Position{}
	}
	now := time.Now().UTC().Truncate(tick)
	for _, e := range evs {
		stored := events.Stored{
			ID: e.ID, Stream: stream, Revision: events.Revision(len(s.streams[stream])), Position: events.Position(len(s.log) + 1),
			At: now, Type: e.Type, Data: append([]byte{}, e.Data...), Metadata: append([]byte(nil), e.Metadata...),
		}
		s.log = append(s.log, stored)
		s.streams[stream] = append(s.streams[stream], e.ID)
		s.places[stream] = append(s.places[stream], stored.Position)
	}
	if s.grown != nil {
		close(s.grown)
		s.grown = nil
	}
}

// Read yields a stream's events from a revision on, forwards, as the stream is
// at the call; nothing for a stream that does not exist. Its only error is
// ctx's, and is the last thing it yields.
func (s *Store) Read(ctx context.Context, stream events.StreamName, from events.Revision) iter.Seq2[events.Stored, error] {
	return func(yield func(events.Stored, error) bool) {
		log, places := s.snapshot(stream)
		for _, place := range places[min(from, events.Revision(len(places))):] {
			if err := ctx.Err(); err != nil {
				yield(events.Stored{}, fmt.Errorf("read %s: %w", stream, err))
				return
			}
			if !yield(log[place-1], nil) {
				return
			}
		}
	}
}

// ReadAll yields the events after a position that the filter picks, oldest
// first, up to the head as of the call. Its only error is ctx's, and is the
// last thing it yields.
func (s *Store) ReadAll(ctx context.Context, after events.Position, f events.Filter) iter.Seq2[events.Stored, error] {
	return func(yield func(events.Stored, error) bool) {
		log, _ := s.snapshot("")
		for _, e := range log[min(after, events.Position(len(log))):] {
			if err := ctx.Err(); err != nil {
				yield(events.Stored{}, fmt.Errorf("read the log: %w", err))
				return
			}
			if f.Match(e) && !yield(e, nil) {
				return
			}
		}
	}
}

// Subscribe yields everything after a position and then what is appended, in
// order, each event once, until ctx ends; ctx's error is the last thing it
// yields. Events of the store itself ("$…") appear as checkpoints.
func (s *Store) Subscribe(ctx context.Context, after events.Position) iter.Seq2[events.Message, error] {
	return s.subscribe(ctx, after, func(e events.Stored) bool { return events.Filter{}.Match(e) })
}

// SubscribeTo is Subscribe for the streams of some categories; all else appears as
// checkpoints.
func (s *Store) SubscribeTo(ctx context.Context, after events.Position, categories ...string) iter.Seq2[events.Message, error] {
	return s.subscribe(ctx, after, func(e events.Stored) bool {
		return events.Filter{}.Match(e) && slices.Contains(categories, e.Stream.Category())
	})
}

func (s *Store) subscribe(
	ctx context.Context, after events.Position, picks func(events.Stored) bool,
) iter.Seq2[events.Message, error] {
	return func(yield func(events.Message, error) bool) {
		for at, live := after, false; ; {
			log, grown := s.wait()
			for ; ctx.Err() == nil && at < events.Position(len(log)); at++ {
				if !yield(message(log[at], picks), nil) {
					return
				}
			}
			if ctx.Err() == nil && !live && !yield(events.Message{CaughtUp: true}, nil) {
				return
			}
			live = true
			select {
			case <-grown:
			case <-ctx.Done():
				yield(events.Message{}, fmt.Errorf("follow the log: %w", ctx.Err()))
				return
			}
		}
	}
}

func message(e events.Stored, picks func(events.Stored) bool) events.Message {
	if picks(e) {
		return events.Message{Event: &e}
	}
	return events.Message{Checkpoint: e.Position}
}

// Head is the position of the last event in the log, 0 when it is empty.
func (s *Store) Head(ctx context.Context) (events.Position, error) {
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("read the head of the log: %w", err)
	}
	log, _ := s.snapshot("")
	return events.Position(len(log)), nil
}

// snapshot is the log as it is now, and where one stream's events stand in it.
func (s *Store) snapshot(stream events.StreamName) ([]events.Stored, []events.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log, s.places[stream]
}

// wait is the log as it is now, and what is closed when it has grown.
func (s *Store) wait() ([]events.Stored, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.grown == nil {
		s.grown = make(chan struct{})
	}
	return s.log, s.grown
}
