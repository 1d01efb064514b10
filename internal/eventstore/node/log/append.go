package eventlog

import (
	"context"
	"fmt"

	"github.com/google/uuid"
)

// Appended answers an append.
type Appended struct {
	// Revision of the last event of the append, or of the stream when the append had no events; NoRevision if it has none.
	Revision Revision
	// Position of the last event of the append; 0 when it had none, or repeats an event that is no longer visible.
	Position Position
	// Repeat: the events had been written before and were not written again.
	Repeat bool
}

// Append adds events to a stream, all or none, and returns once they are durable. When it returns ctx's error, nothing was
// written. Other errors: *WrongRevision, *StreamDeleted, *Failed, ErrFull, ErrClosed, ErrInvalid.
func (l *Log) Append(ctx context.Context, stream string, expected Expected, events ...Event) (Appended, error) {
	if err := checkRequest(stream, expected); err != nil {
		return Appended{}, err
	}
	for i := range events {
		if events[i].ID == uuid.Nil || events[i].Type == "" {
			return Appended{}, fmt.Errorf("append to %q: event %d lacks an id or a type: %w", stream, i, ErrInvalid)
		}
	}
	return l.submit(ctx, &request{kind: appendEvents, stream: stream, expected: expected, events: events})
}

// Delete hides a stream's events until something is appended to it again, and replaces its metadata. The answer is the position of the
// metadata event. Errors as for Append.
func (l *Log) Delete(ctx context.Context, stream string, expected Expected) (Position, error) {
	return l.end(ctx, deleteStream, stream, expected)
}

// Tombstone ends a stream for ever. The answer is the position of its last event. Errors as for Append.
func (l *Log) Tombstone(ctx context.Context, stream string, expected Expected) (Position, error) {
	return l.end(ctx, tombstoneStream, stream, expected)
}

func (l *Log) end(ctx context.Context, kind requestKind, stream string, expected Expected) (Position, error) {
	if err := checkRequest(stream, expected); err != nil {
		return 0, err
	}
	if _, isMeta := baseOf(stream); isMeta {
		return 0, fmt.Errorf("delete %q: a metastream cannot be deleted: %w", stream, ErrInvalid)
	}
	done, err := l.submit(ctx, &request{kind: kind, stream: stream, expected: expected})
	return done.Position, err
}

func checkRequest(stream string, expected Expected) error {
	if stream == "" || stream == metaPrefix {
		return fmt.Errorf("append to %q: not a stream's name: %w", stream, ErrInvalid)
	}
	if expected < 0 && expected != Any && expected != NoStream && expected != StreamExists {
		return fmt.Errorf("append to %q: expected revision %d: %w", stream, expected, ErrInvalid)
	}
	return nil
}

type requestKind int

const (
	appendEvents requestKind = iota
	deleteStream
	tombstoneStream
)

// request waits in the committer's queue, then for its commit.
type request struct {
	kind     requestKind
	stream   string
	expected Expected
	events   []Event

	cancelled func() error
	done      chan struct{} // closed when answer and err are set
	answer    Appended
	err       error
}

func (l *Log) submit(ctx context.Context, r *request) (Appended, error) {
	if err := l.space.check(); err != nil {
		return Appended{}, fmt.Errorf("append to %q: %w", r.stream, err)
	}
	r.cancelled, r.done = ctx.Err, make(chan struct{})
	select {
	case l.queue <- r:
	case <-ctx.Done():
		return Appended{}, fmt.Errorf("append to %q: %w", r.stream, ctx.Err())
	case <-l.stopping:
		return Appended{}, ErrClosed
	}
	select {
	case <-r.done:
	case <-l.committerDone:
		// Either it was answered by the last group, or nobody will look at it.
		select {
		case <-r.done:
		default:
			return Appended{}, ErrClosed
		}
	}
	return r.answer, r.err
}
