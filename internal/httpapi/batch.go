package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/tidings-io/tidings/internal/commands"
	"github.com/tidings-io/tidings/internal/events"
)

// batchAnswer answers a batch: a notificationAnswer or a Problem for each entry,
// in the call's order.
type batchAnswer struct {
	Results  []any           `json:"results"`
	Position events.Position `json:"position"` // the highest; 0 when nothing was published
}

func (a *api) publishBatch(w http.ResponseWriter, r *http.Request) (done, error) {
	var f fields
	k := f.key(r)
	o, err := a.object(w, r, &f, a.maxBatchBytes)
	if err != nil {
		return done{}, err
	}
	drafts := f.drafts(o)
	if err := f.err(); err != nil {
		return done{}, err
	}
	b := commands.Batch{ID: events.BatchID(a.commandID(r, routeBatch, k))}
	results := make([]any, len(drafts))
	if b.Entries, err = a.parseBatch(r, drafts, k.given, results); err != nil {
		return done{}, err
	}
	if len(b.Entries) == 0 {
		return done{status: http.StatusAccepted, body: batchAnswer{Results: results}}, nil
	}
	spent, err := a.spendOnce(r, len(b.Entries), k, events.BatchStream(b.ID))
	if err != nil {
		return done{}, err
	}
	outcomes := commands.HandleBatch(r.Context(), a.store, a.metadata(r, b.ID), b)
	if spent {
		a.giveBack(r, notPublished(outcomes))
	}
	if err := nothingDone(outcomes); err != nil {
		return done{}, &about{error: err, id: b.ID}
	}
	return a.batchDone(r, b, outcomes, results), nil
}

// drafts takes the entries of a batch, unread.
func (f *fields) drafts(o object) []json.RawMessage {
	before := len(f.flaws)
	_, given := o["notifications"]
	drafts := f.list(o, "notifications", events.MaxBatch)
	switch {
	case o == nil || len(f.flaws) > before:
	case !given:
		f.flaw("notifications", "is missing")
	case len(drafts) == 0:
		f.flaw("notifications", "has 1 to %d entries", events.MaxBatch)
	}
	f.rest(o, "a batch")
	return drafts
}

// parseBatch reads every entry by itself: the valid ones are returned, the others
// are problems among the results.
func (a *api) parseBatch(r *http.Request, drafts []json.RawMessage, keyed bool, results []any) ([]commands.BatchEntry, error) {
	entries := make([]commands.BatchEntry, 0, len(drafts))
	for i, draft := range drafts {
		notification, flaws := commands.ParseDraft(draft)
		if len(flaws) > 0 {
			results[i] = entryProblem(r, invalid(flaws))
			continue
		}
		if err := mayReach(r, "to", notification.To); err != nil {
			results[i] = entryProblem(r, err)
			continue
		}
		entry := commands.BatchEntry{Index: i, Notification: notification}
		if keyed {
			hash, err := commands.BodyHash(notification)
			if err != nil {
				return nil, err // it says what it did
			}
			entry.BodyHash = hash
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

// notPublished counts the entries that were not, for certain, or were before.
func notPublished(outcomes []commands.BatchOutcome) int {
	n := 0
	for _, o := range outcomes {
		if o.Replayed || o.Err != nil && !errors.Is(o.Err, events.ErrOutcomeUnknown) {
			n++
		}
	}
	return n
}

// nothingDone is the fault that kept all of a batch from being published; nil when
// any entry was, or was refused for its own sake.
func nothingDone(outcomes []commands.BatchOutcome) (fault error) {
	for _, o := range outcomes {
		var refusal *commands.Refusal
		if o.Err == nil || errors.As(o.Err, &refusal) {
			return nil
		}
		if fault == nil || errors.Is(o.Err, events.ErrOutcomeUnknown) {
			fault = o.Err
		}
	}
	return fault
}

// batchDone puts the outcomes of a batch's valid entries among its results.
func (a *api) batchDone(r *http.Request, b commands.Batch, outcomes []commands.BatchOutcome, results []any) done {
	d := done{status: http.StatusAccepted, replayed: true}
	for i, o := range outcomes {
		at := b.Entries[i].Index
		if o.Err != nil {
			d.replayed = false
			results[at] = a.outcomeProblem(r, o)
			continue
		}
		results[at] = notificationAnswer{ID: o.ID, Status: statusPublished, Position: o.Position}
		d.position = max(d.position, o.Position)
		d.changed = d.changed || !o.Replayed
	}
	d.replayed = d.replayed && !d.changed
	d.body = batchAnswer{Results: results, Position: d.position}
	return d
}

// outcomeProblem is an entry that the store did not take.
func (a *api) outcomeProblem(r *http.Request, o commands.BatchOutcome) Problem {
	p := entryProblem(r, &about{error: o.Err, id: o.ID})
	if p.Code == codeInternal {
		a.logger.ErrorContext(r.Context(), "an entry of a batch failed",
			"stream", events.BirthStream(o.ID), "correlation_id", requestID(r), "error", o.Err)
	}
	return p
}

func entryProblem(r *http.Request, err error) Problem {
	p := problemOf(err)
	p.RequestID = requestID(r)
	return p
}
