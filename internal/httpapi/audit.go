package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/queries"
)

const (
	defaultAuditPage = 100
	maxAuditPage     = 1000
	// auditTimeout is how long a page may search the log; what was found by then is
	// answered, with a cursor that continues the search.
	auditTimeout = 10 * time.Second
	// logPoll is how often the log's head is looked at for one who waits for it.
	logPoll = 100 * time.Millisecond
	ndjson  = "application/x-ndjson"
)

// auditPage is a page of the log, oldest first.
type auditPage struct {
	Items      []auditEvent `json:"items"`
	NextCursor string       `json:"next_cursor" doc:"The after of the next page; empty when nothing follows."`
}

func (a *api) audit(w http.ResponseWriter, r *http.Request) error {
	q, err := a.ask(r)
	if err != nil {
		return err
	}
	q.atMost = maxAuditPage
	after, limit, filter := max(q.position("after"), q.position("cursor")), q.limit(defaultAuditPage), q.auditFilter()
	atLeast := q.atLeast(r)
	if err := q.err(); err != nil {
		return err
	}
	if err := a.logHas(r.Context(), atLeast); err != nil {
		return err
	}
	w.Header().Add("Vary", "Accept")
	if accepts(r.Header, ndjson) {
		leave, err := a.exports.enter(r.Context(), subject(r))
		if err != nil {
			return err
		}
		defer leave()
		return a.auditExport(w, r, q.auditFilterText(), after, filter)
	}
	leave, err := a.looks.enter(r.Context(), subject(r))
	if err != nil {
		return err
	}
	defer leave()
	read := a.auditRead(r, auditPages, q.auditFilterText(), after)
	page, err := a.auditPage(r.Context(), a.auditFrom(r.Context(), after, filter), limit, filter)
	if n := len(page.Items); err == nil && n > 0 {
		read.sent(n, page.Items[n-1].Position)
	}
	read.record(read.ended(r.Context(), err))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, page)
}

// logHas waits until the log has the position. It can lag behind what a client
// knows only where the store's nodes do.
func (a *api) logHas(ctx context.Context, at events.Position) error {
	if at == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, queryWait)
	defer cancel()
	tick := time.NewTicker(logPoll)
	defer tick.Stop()
	for {
		head, err := a.log.Head(ctx)
		switch {
		case err == nil && head >= at:
			return nil
		case err != nil && ctx.Err() == nil:
			return fmt.Errorf("ask for the head of the log: %w", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return queries.ErrNotYetProjected
		}
	}
}

// accepts says whether the client asks for exactly this media type.
func accepts(h http.Header, media string) bool {
	for _, line := range h.Values("Accept") {
		for one := range strings.SplitSeq(line, ",") {
			one, _, _ = strings.Cut(one, ";")
			if strings.EqualFold(strings.TrimSpace(one), media) {
				return true
			}
		}
	}
	return false
}

// auditFrom is where to begin reading, so that a range of recent times does not read
// the years before it. The tables know; without them all of the log is read.
func (a *api) auditFrom(ctx context.Context, after events.Position, filter auditFilter) events.Position {
	if filter.from.IsZero() {
		return after
	}
	before, err := a.reads.Before(ctx, filter.from)
	if err != nil {
		a.logger.DebugContext(ctx, "the tables cannot say where a time begins: the log is read from its beginning", "error", err)
		return after
	}
	return max(after, before)
}

// auditPage searches for one event more than it answers, to know whether any
// follows.
func (a *api) auditPage(ctx context.Context, after events.Position, limit int, filter auditFilter) (auditPage, error) {
	searching, cancel := context.WithTimeout(ctx, auditTimeout)
	defer cancel()
	page := auditPage{Items: []auditEvent{}}
	seen := after
	for stored, err := range a.log.ReadAll(searching, after, filter.Filter) {
		switch {
		case err != nil && errors.Is(searching.Err(), context.DeadlineExceeded) && seen > after:
			page.NextCursor = seen.String()
			return page, nil
		case err != nil:
			return page, fmt.Errorf("read the log after %s: %w", after, asAway(err))
		case filter.over(stored):
			return page, nil
		case !filter.match(stored):
		case len(page.Items) == limit:
			page.NextCursor = page.Items[limit-1].Position.String()
			return page, nil
		default:
			page.Items = append(page.Items, newAuditEvent(stored))
		}
		seen = stored.Position
	}
	return page, nil
}

// asAway says of a read that took too long that the store is away: reading
// changes nothing, so that much is certain.
func asAway(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", events.ErrStoreUnavailable, err)
	}
	return err
}
