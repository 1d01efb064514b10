package httpapi

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"time"

	"github.com/tidings-io/tidings/internal/access"
	"github.com/tidings-io/tidings/internal/events"
)

const (
	auditStreamPattern = "/v1/audit/stream"
	// latest is the after of who wants what is recorded from now on.
	latest = "latest"
)

// auditStream follows the log: docs/API.md, "The audit trail".
func (a *api) auditStream(c Config) endpoint {
	options := c.Stream.filled()
	return func(w http.ResponseWriter, r *http.Request) error {
		q, err := a.ask(r)
		if err != nil {
			return err
		}
		filter, place := q.auditFilter(), q.auditPlace(r)
		if err := q.err(); err != nil {
			return err
		}
		leave, err := a.enter(r)
		if err != nil {
			return err
		}
		defer leave()
		if leave, err = a.follows.enter(r.Context(), subject(r)); err != nil {
			return err
		}
		defer leave()
		if err := a.settle(r.Context(), &place, filter); err != nil {
			return err
		}
		r, stop := a.hold(r)
		defer stop()
		ctx, cancel := options.lifetime(r.Context())
		defer cancel()
		f := &auditFollower{
			a: a, filter: filter, place: place, read: a.auditRead(r, auditStreams, q.auditFilterText(), place.after),
			eventStream: eventStream{w: w, control: http.NewResponseController(w), options: options},
		}
		f.run(ctx)
		return nil
	}
}

// auditPlace is where a stream begins.
type auditPlace struct {
	id     string // where to resume, as the client has it
	latest bool   // at the head, whatever that is
	after  events.Position
	reset  string // why it is not where the client asked
}

// auditPlace reads where a stream begins: the header wins over last_event_id, and
// that over after.
func (q *ask) auditPlace(r *http.Request) auditPlace {
	p := auditPlace{id: r.Header.Get("Last-Event-ID"), latest: q.values.Get("after") == latest}
	if !p.latest {
		p.after = q.position("after")
	}
	if p.id == "" {
		p.id = q.values.Get("last_event_id")
	}
	return p
}

// settle finds the position. Whoever names none gets the whole log, or what is recorded
// from the time asked for.
func (a *api) settle(ctx context.Context, p *auditPlace, filter auditFilter) error {
	ctx, cancel := context.WithTimeout(ctx, queryWait)
	defer cancel()
	head, err := a.log.Head(ctx)
	if err != nil {
		return fmt.Errorf("ask for the head of the log: %w", asAway(err))
	}
	switch {
	case p.id == "earliest":
		p.after = 0
	case p.id != "":
		if p.after, err = events.ParsePosition(p.id); err != nil {
			p.after, p.reset = head, "the id is not a position of the log"
		}
	case p.latest:
		p.after = head
	}
	if p.after > head {
		p.after, p.reset = head, "the id is above the head of the log"
	}
	p.after = a.auditFrom(ctx, p.after, filter)
	return nil
}

// auditFollower writes one stream of the audit trail.
type auditFollower struct {
	eventStream

	a      *api
	filter auditFilter
	place  auditPlace
	read   *auditRead
}

// run serves until the client goes, the connection is old enough, or the range ends.
func (f *auditFollower) run(ctx context.Context) {
	f.a.metrics.audits.streams.Inc()
	defer f.a.metrics.audits.streams.Dec()
	f.read.record(notEnded)
	following, stop := context.WithCancel(ctx)
	box := newOutbox(f.place.after, 1, appendFrame)
	go f.follow(following, box)
	err := f.serve(ctx, box)
	stop()
	rest := box.drain()
	if refused, _ := errors.AsType[*access.Refused](context.Cause(ctx)); err == nil && refused == nil {
		_ = f.tell(rest) // the last words; the client may be gone
	}
	f.read.record(f.read.ended(ctx, err))
}

func (f *auditFollower) serve(ctx context.Context, box *outbox) error {
	if err := f.greet(); err != nil {
		return err
	}
	silence := time.NewTimer(f.options.Heartbeat)
	defer silence.Stop()
	for spare := []byte(nil); ; {
		silent := false
		select {
		case <-box.some:
		case <-silence.C:
			silent = true
		case <-ctx.Done():
			return nil
		}
		p := box.take(spare)
		if err := f.tell(p); err != nil {
			return err
		}
		spare = keep(p.text)
		switch {
		case p.ended && p.err != nil && ctx.Err() == nil:
			f.refuse(p.err)
			return p.err
		case p.ended && ctx.Err() == nil, p.caughtUp && f.over(ctx, p.considered):
			return f.event("end", p.considered.String(), f.options.MaxAge, map[string]any{"reason": "to has passed"})
		case len(p.text) == 0 && !silent:
			continue // nothing was said: the silence goes on
		case len(p.text) == 0:
			if err := f.heartbeat(p.considered); err != nil {
				return err
			}
		}
		silence.Reset(f.options.Heartbeat)
	}
}

func (f *auditFollower) greet() error {
	if err := f.open(); err != nil {
		return err
	}
	at := f.place.after.String()
	err := f.event("connected", at, f.options.Retry, struct {
		Position events.Position `json:"position"`
		RetryMS  int64           `json:"retry_ms"`
	}{f.place.after, f.options.Retry.Milliseconds()})
	if err == nil && f.place.reset != "" {
		err = f.event("reset", at, 0, map[string]any{"reason": f.place.reset})
	}
	return err
}

// heartbeat tells how far the search has come, so that a reader of what is rare need
// not begin it anew.
func (f *auditFollower) heartbeat(considered events.Position) error {
	return f.event("heartbeat", considered.String(), 0, struct {
		Timestamp time.Time       `json:"timestamp"`
		Position  events.Position `json:"position"`
	}{time.Now().UTC(), considered})
}

func (f *auditFollower) tell(p parcel) error {
	if len(p.text) == 0 {
		return nil
	}
	if err := f.flush(p.text); err != nil {
		return fmt.Errorf("%w: %w", errNotTaken, err)
	}
	f.read.sent(p.events, p.considered)
	return nil
}

func appendFrame(b []byte, e *auditEvent) []byte {
	b = append(b, "event: event\nid: "...)
	b = append(b, e.Position.String()...)
	b = append(b, "\ndata: "...)
	return append(appendAuditEvent(b, e), "\n\n"...)
}

// follow reads the log into the box, which it ends.
func (f *auditFollower) follow(ctx context.Context, box *outbox) {
	for m, err := range f.messages(ctx) {
		switch {
		case err != nil:
			box.end(fmt.Errorf("follow the log after %s: %w", f.place.after, err))
			return
		case m.CaughtUp:
			box.catchUp()
		case m.Event == nil:
			box.pass(m.Checkpoint)
		case f.filter.over(*m.Event):
			box.pass(m.Event.Position)
			box.end(nil)
			return
		case !f.filter.Match(*m.Event) || !f.filter.match(*m.Event):
			box.pass(m.Event.Position)
		case !box.add(ctx, newAuditEvent(*m.Event)):
			box.end(ctx.Err())
			return
		}
	}
	box.end(nil)
}

// storePicks are the categories that the store can pick by the beginning of their
// streams' names. Any other may be a stream's whole name.
var storePicks = []string{
	events.CategorySubscription, events.CategoryNotification, events.CategoryBatch, events.CategoryInbox, events.CategoryTopic,
	events.CategoryContact, events.CategoryProjection, events.CategoryKey, events.CategoryTokens,
}

// messages are the log's, picked by the store as far as it can.
func (f *auditFollower) messages(ctx context.Context) iter.Seq2[events.Message, error] {
	category := f.filter.Category
	if category == "" {
		category = f.filter.Stream.Category()
	}
	if slices.Contains(storePicks, category) {
		return f.a.log.SubscribeTo(ctx, f.place.after, category)
	}
	return f.a.log.Subscribe(ctx, f.place.after)
}

// over says whether the range is, though no event came that says so: by the time
// of day, where the log has nothing in it that was not considered.
func (f *auditFollower) over(ctx context.Context, considered events.Position) bool {
	if !f.filter.past(time.Now()) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, auditTimeout)
	defer cancel()
	for stored, err := range f.a.log.ReadAll(ctx, considered, f.filter.Filter) {
		if err != nil || !f.filter.over(stored) {
			return false // the subscription brings it, or will be ended by it
		}
		return true
	}
	return true
}
