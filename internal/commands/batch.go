package commands

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
)

// maxAppendBytes keeps one append below the store's limit, counted as the
// store counts, with a little room.
const maxAppendBytes = events.MaxAppendBytes - 16<<10

// Batch publishes many notifications to one stream, in as few appends as the
// store's size limit allows.
type Batch struct {
	ID      uuid.UUID // made by events.BatchID
	Entries []BatchEntry
}

// BatchEntry is one valid notification of a batch and its place in the call,
// from which its id follows. Places are unique and rise.
type BatchEntry struct {
	Index        int
	Notification events.Published
	BodyHash     string // see BodyHash
}

// BatchOutcome is what became of an entry.
type BatchOutcome struct {
	ID       uuid.UUID
	Position events.Position // that of the last event of the append the entry was part of
	Replayed bool            // recorded by an earlier call with the same key
	Err      error           // a *Refusal, or a fault of the store
}

// HandleBatch publishes every entry that is not yet in the batch's stream and
// says for each, in order, what became of it. A key that came before is judged
// entry by entry, by index: the same body is a replay, another is refused with
// CodeKeyReused. The batch's position is the highest of its outcomes.
func HandleBatch(ctx context.Context, store Store, md events.Metadata, b Batch) []BatchOutcome {
	w := batchWrite{store: store, md: md, batch: b, expected: events.NoStream(), outcomes: make([]BatchOutcome, len(b.Entries))}
	for i, e := range b.Entries {
		w.outcomes[i].ID = events.BatchEntryID(b.ID, e.Index)
	}
	for range maxTries {
		if w.appendMissing(ctx) {
			return w.outcomes
		}
		if err := w.foldEarlier(ctx); err != nil {
			return w.fail(err)
		}
	}
	return w.fail(refuse(CodeConflict, "stream %s kept changing: try again", events.BatchStream(b.ID)))
}

type batchWrite struct {
	store    Store
	md       events.Metadata
	batch    Batch
	expected events.Expected
	outcomes []BatchOutcome
	chunks   int // appends tried, so that each has a causation of its own
}

func (w *batchWrite) done(i int) bool {
	return w.outcomes[i].Position > 0 || w.outcomes[i].Err != nil
}

// appendMissing appends what has no outcome yet, and says false when the stream
// was not as expected.
func (w *batchWrite) appendMissing(ctx context.Context) bool {
	for next := 0; ; {
		chunk, places, err := w.chunk(&next)
		if err != nil {
			w.fail(err)
			return true
		}
		if len(chunk) == 0 {
			return true
		}
		appended, err := w.store.Append(ctx, events.BatchStream(w.batch.ID), w.expected, chunk...)
		if errors.Is(err, events.ErrWrongRevision) {
			return false
		}
		if err != nil {
			w.fail(fmt.Errorf("append to %s: %w", events.BatchStream(w.batch.ID), err))
			return true
		}
		w.expected = events.Exactly(appended.Revision)
		for _, i := range places {
			w.outcomes[i].Position = appended.Position
		}
	}
}

// chunk encodes entries without an outcome, from *next on, up to the size of
// one append.
func (w *batchWrite) chunk(next *int) (chunk []events.Proposed, places []int, err error) {
	stream := events.BatchStream(w.batch.ID)
	md := w.md
	md.CausationID = events.EventID(w.md.Attempt, stream, -1-w.chunks).String()
	w.chunks++
	size := 0
	for ; *next < len(w.batch.Entries); *next++ {
		i := *next
		if w.done(i) {
			continue
		}
		e := w.batch.Entries[i]
		e.Notification.NotificationID = w.outcomes[i].ID
		md.BodyHash = e.BodyHash
		p, err := events.Encode(e.Notification, stream, e.Index, md)
		if err != nil {
			return nil, nil, err
		}
		if size += p.Size(); size > maxAppendBytes && len(chunk) > 0 {
			break
		}
		chunk, places = append(chunk, p), append(places, i)
	}
	return chunk, places, nil
}

// foldEarlier reads the batch's stream and gives an outcome to every entry that
// is in it.
func (w *batchWrite) foldEarlier(ctx context.Context) error {
	stream := events.BatchStream(w.batch.ID)
	earlier := map[int]events.Recorded{}
	ends := map[string]events.Position{} // by causation: the last position of each append
	for r, err := range read[events.NotificationEvent](ctx, w.store, stream) {
		if err != nil {
			return err
		}
		w.expected = events.Exactly(r.Revision)
		ends[r.Metadata.CausationID] = r.Position
		if p, ok := r.event.(events.Published); ok {
			earlier[events.BatchEntryIndex(p.NotificationID)] = r.Recorded
		}
	}
	for i, e := range w.batch.Entries {
		r, ok := earlier[e.Index]
		switch {
		case !ok || w.done(i):
		case r.Metadata.BodyHash != e.BodyHash:
			w.outcomes[i].Err = keyReused()
		default:
			w.outcomes[i].Position = ends[r.Metadata.CausationID]
			w.outcomes[i].Replayed = r.ID != events.EventID(w.md.Attempt, stream, e.Index)
		}
	}
	return nil
}

// fail gives every entry without an outcome this error.
func (w *batchWrite) fail(err error) []BatchOutcome {
	for i := range w.outcomes {
		if !w.done(i) {
			w.outcomes[i].Err = err
		}
	}
	return w.outcomes
}
