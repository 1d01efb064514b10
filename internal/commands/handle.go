package commands

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/tidings-io/tidings/internal/events"
)

// maxTries is how often a command is decided anew after losing a race. Streams
// are short and personal, so losing four in a row means something is wrong.
const maxTries = 4

// Store is what deciding needs of the event store.
type Store interface {
	// Append writes all events or none, durably before it returns. Errors:
	// ErrWrongRevision, ErrStoreUnavailable, ErrOutcomeUnknown, ErrStreamDeleted and
	// ErrTooLarge of package events. Repeating an append with the same ids is
	// recognised and answers as the first did.
	Append(ctx context.Context, stream events.StreamName, expected events.Expected, evs ...events.Proposed) (events.Appended, error)
	// Read yields a stream's events from a revision on, forwards; nothing for a
	// stream that does not exist. An error is the last thing it yields.
	Read(ctx context.Context, stream events.StreamName, from events.Revision) iter.Seq2[events.Stored, error]
}

// State is what a command needs to know, folded from a stream. Its zero value
// is the empty stream; Evolve cannot fail.
type State[S any, E events.Event] interface {
	Evolve(e E, at events.Position) S
}

// Command decides over one stream. Decide returns no events when everything is
// already as asked, and a *Refusal when it may not be.
type Command[S State[S, E], E events.Event] interface {
	Stream() events.StreamName
	Decide(state S) ([]E, error)
}

// onFreshStream is a command whose stream can exist only if the command itself
// came before: it appends without reading and folds on conflict.
type onFreshStream interface{ fresh() }

// bornElsewhere is a command whose state begins in another stream: Handle folds
// those of its events that concerns picks before the command's own stream. An
// empty name means that nothing came before.
type bornElsewhere[E events.Event] interface {
	birth() (stream events.StreamName, concerns func(E) bool)
}

// Receipt is what became of a command.
type Receipt[S any] struct {
	// State is the state after the command.
	State S
	// Position is that of the command's last event or, when nothing had to change,
	// of the last event of the state it found; 0 where there was none.
	Position events.Position
	// Changed says whether this call appended anything.
	Changed bool
	// Replayed says that the same command was recorded by an earlier call.
	Replayed bool
}

// Handle decides a command over its stream and appends what was decided. A
// conflict folds and decides again, at most four times, then refuses with
// CodeConflict. A command id recorded before is not decided again: the receipt
// says Replayed, or the refusal CodeKeyReused when the body was another.
func Handle[S State[S, E], E events.Event](
	ctx context.Context, store Store, md events.Metadata, cmd Command[S, E],
) (Receipt[S], error) {
	stream := cmd.Stream()
	_, fresh := any(cmd).(onFreshStream)
	for range maxTries {
		f := folded[S, E]{expected: events.NoStream()}
		if !fresh {
			var err error
			if f, err = fold(ctx, store, md, cmd); err != nil {
				return Receipt[S]{}, err
			}
		}
		if f.earlier != nil {
			return f.replay(md)
		}
		receipt, err := decide(ctx, store, md, cmd, f)
		if errors.Is(err, events.ErrWrongRevision) {
			fresh = false
			continue
		}
		return receipt, err
	}
	return Receipt[S]{}, refuse(CodeConflict, "stream %s kept changing: try again", stream)
}

// folded is a stream's state and what the next append may expect.
type folded[S State[S, E], E events.Event] struct {
	state    S
	expected events.Expected
	last     events.Position
	earlier  *events.Recorded // the last event this same command recorded before
}

func (f *folded[S, E]) evolve(r events.Recorded, e E, md events.Metadata) {
	f.state = f.state.Evolve(e, r.Position)
	f.last = r.Position
	if r.Metadata.CommandID == md.CommandID {
		f.earlier = &r
	}
}

func (f *folded[S, E]) replay(md events.Metadata) (Receipt[S], error) {
	if f.earlier.Metadata.BodyHash != md.BodyHash {
		return Receipt[S]{}, keyReused()
	}
	return Receipt[S]{State: f.state, Position: f.earlier.Position, Replayed: true}, nil
}

func keyReused() *Refusal {
	return refuse(CodeKeyReused, "this Idempotency-Key came before with another body: use a new key for a new request")
}

func fold[S State[S, E], E events.Event](
	ctx context.Context, store Store, md events.Metadata, cmd Command[S, E],
) (folded[S, E], error) {
	f := folded[S, E]{expected: events.NoStream()}
	if birth, concerns := birthOf(cmd); birth != "" {
		for r, err := range read[E](ctx, store, birth) {
			if err != nil {
				return f, err
			}
			if concerns(r.event) {
				f.evolve(r.Recorded, r.event, md)
			}
		}
	}
	for r, err := range read[E](ctx, store, cmd.Stream()) {
		if err != nil {
			return f, err
		}
		f.expected = events.Exactly(r.Revision)
		f.evolve(r.Recorded, r.event, md)
	}
	return f, nil
}

func birthOf[S State[S, E], E events.Event](cmd Command[S, E]) (events.StreamName, func(E) bool) {
	if b, ok := any(cmd).(bornElsewhere[E]); ok {
		return b.birth()
	}
	return "", nil
}

// of is a recorded event known to be of its stream's kind.
type of[E events.Event] struct {
	events.Recorded
	event E
}

func read[E events.Event](ctx context.Context, store Store, stream events.StreamName) iter.Seq2[of[E], error] {
	return func(yield func(of[E], error) bool) {
		for stored, err := range store.Read(ctx, stream, 0) {
			if err != nil {
				yield(of[E]{}, fmt.Errorf("read %s: %w", stream, err))
				return
			}
			r, err := events.Decode(stored)
			if err != nil {
				yield(of[E]{}, err)
				return
			}
			e, ok := r.Event.(E)
			if !ok {
				yield(of[E]{}, fmt.Errorf("read %s: %s at revision %d does not belong there", stream, stored.Type, r.Revision))
				return
			}
			if !yield(of[E]{r, e}, nil) {
				return
			}
		}
	}
}

func decide[S State[S, E], E events.Event](
	ctx context.Context, store Store, md events.Metadata, cmd Command[S, E], f folded[S, E],
) (Receipt[S], error) {
	decided, err := cmd.Decide(f.state)
	if err != nil || len(decided) == 0 {
		return Receipt[S]{State: f.state, Position: f.last}, err
	}
	stream := cmd.Stream()
	proposed := make([]events.Proposed, len(decided))
	for n, e := range decided {
		if proposed[n], err = events.Encode(e, stream, n, md); err != nil {
			return Receipt[S]{}, err
		}
	}
	appended, err := store.Append(ctx, stream, f.expected, proposed...)
	if err != nil {
		return Receipt[S]{}, fmt.Errorf("append to %s: %w", stream, err)
	}
	for _, e := range decided {
		f.state = f.state.Evolve(e, appended.Position)
	}
	return Receipt[S]{State: f.state, Position: appended.Position, Changed: true}, nil
}
