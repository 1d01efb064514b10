package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/queries"
)

const (
	defaultAuditPage = 100
	maxAuditPage     = 1000
	// auditTimeout is how long a page may search the log; what was found by then is
	// answered, with a cursor that continues the search.
	auditTimeout = 10 * time.Second
	// auditWriteTimeout is how long a reader of a whole range may take for a line.
	auditWriteTimeout = 30 * time.Second
	// exportTimeout is how long sending a whole range may take: what is longer is
	// broken off, and goes on after the last position that arrived.
	exportTimeout = 15 * time.Minute
	// logPoll is how often the log's head is looked at for one who waits for it.
	logPoll = 100 * time.Millisecond
	// auditFlushBytes are sent together.
	auditFlushBytes = 64 << 10
	ndjson          = "application/x-ndjson"
)

// auditEvent is an event as the log holds it.
type auditEvent struct {
	ID       uuid.UUID         `json:"id"`
	Stream   events.StreamName `json:"stream"`
	Revision events.Revision   `json:"revision"`
	Position events.Position   `json:"position"`
	Type     string            `json:"type"`
	At       time.Time         `json:"at"`
	Data     json.RawMessage   `json:"data"`
	Metadata json.RawMessage   `json:"metadata"`
}

func newAuditEvent(s events.Stored) auditEvent {
	return auditEvent{
		ID: s.ID, Stream: s.Stream, Revision: s.Revision, Position: s.Position, Type: s.Type, At: s.At.UTC().Truncate(time.Microsecond),
		Data: orNull(s.Data), Metadata: orNull(s.Metadata),
	}
}

func orNull(text json.RawMessage) json.RawMessage {
	if len(text) == 0 {
		return json.RawMessage("null")
	}
	return text
}

// auditPage is a page of the log, oldest first.
type auditPage struct {
	Items      []auditEvent `json:"items"`
	NextCursor string       `json:"next_cursor" doc:"The after of the next page; empty when nothing follows."`
}

// auditFilter picks events: what the store can judge, and what only their content
// tells.
type auditFilter struct {
	events.Filter

	user        events.User
	topic       events.Topic
	correlation string
	from, to    time.Time // zero: no bound; from is inclusive, to is not
}

func (q *ask) auditFilter() auditFilter {
	f := auditFilter{
		Filter: events.Filter{
			Category: q.values.Get("category"), Stream: events.StreamName(q.values.Get("stream")), Type: q.values.Get("type"),
		},
		topic: q.topicFilter(), correlation: q.values.Get("correlation_id"),
		from: q.time("from"), to: q.time("to"),
	}
	if text := q.values.Get("user"); text != "" {
		user, err := events.ParseUser(text)
		if err != nil {
			q.flaw("user", "%s", err)
		}
		f.user = user
	}
	return f
}

func (q *ask) time(name string) time.Time {
	text := q.values.Get(name)
	if text == "" {
		return time.Time{}
	}
	at, err := events.ParseTime(text)
	if err != nil {
		q.flaw(name, "is an RFC 3339 time, such as 2026-01-31T12:00:00Z")
	}
	return at
}

// match says whether the filter picks an event that the store's part has picked.
func (f auditFilter) match(s events.Stored) bool {
	switch {
	case !f.from.IsZero() && s.At.Before(f.from), !f.to.IsZero() && !s.At.Before(f.to):
		return false
	case f.correlation != "" && correlation(s) != f.correlation:
		return false
	case f.user != "" && !f.concernsUser(s), f.topic != "" && !f.concernsTopic(s):
		return false
	}
	return true
}

func correlation(s events.Stored) string {
	var md events.Metadata
	if json.Unmarshal(s.Metadata, &md) != nil {
		return ""
	}
	return md.CorrelationID
}

// concernsUser picks the user's subscriptions and inbox, and what named the user.
func (f auditFilter) concernsUser(s events.Stored) bool {
	return slices.Contains([]events.StreamName{
		events.InboxStream(f.user), events.ContactStream(f.user), events.TokensStream(f.user),
	}, s.Stream) ||
		strings.HasPrefix(string(s.Stream), string(events.SubscriptionStream(f.user, ""))) ||
		slices.Contains(targets(s), events.Target{User: f.user})
}

// concernsTopic picks the topic's own stream, subscriptions to it, and what was
// published to it.
func (f auditFilter) concernsTopic(s events.Stored) bool {
	_, topic, _ := strings.Cut(string(s.Stream), "/") // no user's name has a slash
	return s.Stream == events.TopicStream(f.topic) ||
		s.Stream.Category() == events.CategorySubscription && topic == string(f.topic) ||
		slices.Contains(targets(s), events.Target{Topic: f.topic})
}

// targets are those of a publish or a retraction.
func targets(s events.Stored) []events.Target {
	switch s.Stream.Category() {
	case events.CategoryNotification, events.CategoryBatch:
	default:
		return nil
	}
	recorded, err := events.Decode(s)
	if err != nil {
		return nil // from the future: shown where nothing needs to be known of it
	}
	switch e := recorded.Event.(type) {
	case events.Published:
		return e.To
	case events.Retracted:
		return e.To
	default:
		return nil
	}
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
		r, stop := a.hold(r)
		defer stop()
		ctx, cancel := context.WithTimeout(r.Context(), exportTimeout)
		defer cancel()
		r = r.WithContext(ctx)
		return a.auditStream(w, r, after, filter)
	}
	leave, err := a.looks.enter(r.Context(), subject(r))
	if err != nil {
		return err
	}
	defer leave()
	page, err := a.auditPage(r.Context(), after, limit, filter)
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

// auditStream writes the whole range, an event a line, in bounded memory.
func (a *api) auditStream(w http.ResponseWriter, r *http.Request, after events.Position, filter auditFilter) error {
	lines := &lineWriter{w: w, control: http.NewResponseController(w)}
	if r.Method == http.MethodHead {
		lines.begin()
		return nil
	}
	for stored, err := range a.log.ReadAll(r.Context(), after, filter.Filter) {
		if err != nil {
			return lines.fail(fmt.Errorf("read the log after %s: %w", after, asAway(err)))
		}
		if !filter.match(stored) {
			continue
		}
		if err := lines.write(newAuditEvent(stored)); err != nil {
			return lines.fail(err)
		}
	}
	lines.begin()
	return nil
}

// lineWriter writes JSON lines and sends them in parts.
type lineWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	begun   bool
	waiting int // bytes not flushed
}

func (l *lineWriter) begin() {
	if l.begun {
		return
	}
	l.begun = true
	l.w.Header().Set("Content-Type", ndjson)
	l.w.Header().Set("Cache-Control", "no-store")
	l.w.WriteHeader(http.StatusOK)
}

func (l *lineWriter) write(line any) error {
	l.begin()
	text, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("encode a line: %w", err)
	}
	_ = l.control.SetWriteDeadline(time.Now().Add(auditWriteTimeout)) // recorders in tests have none
	n, err := l.w.Write(append(text, '\n'))
	if l.waiting += n; l.waiting >= auditFlushBytes && err == nil {
		l.waiting = 0
		err = l.control.Flush()
	}
	_ = l.control.SetWriteDeadline(time.Time{}) // the next line may be far: HTTP/2 ends a stream whose deadline passes
	if err != nil {
		return fmt.Errorf("write a line: %w", err)
	}
	return nil
}

// fail breaks an answer off that has begun, so that nobody takes it for whole; an
// answer that has not begun becomes a problem.
func (l *lineWriter) fail(err error) error {
	if l.begun {
		panic(http.ErrAbortHandler)
	}
	return err
}
