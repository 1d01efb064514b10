package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/tidings-io/tidings/internal/workload"
)

// Log is the audit trail of a running Tidings. Its fields are set before the first call.
type Log struct {
	Server *workload.Server
	Pick   Pick
	// Broken is told, when not nil, why reading has to begin again where it stopped.
	Broken func(why error)
}

const (
	auditPath = "/v1/audit/events"
	// rangeSilence is how long a whole range may bring nothing: a server breaks it off after 15 minutes, and until then
	// may be searching.
	rangeSilence = 16 * time.Minute
	// maxMisses is how often in a row reading may be broken off before it brought an event.
	maxMisses = 8
	// firstMiss is waited after the first, twice as long after each further one.
	firstMiss = 100 * time.Millisecond
)

// Read is the Source of what the log's pick means. What is broken off goes on after the last event that came.
func (l *Log) Read(ctx context.Context, after uint64) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		at := max(after, l.Pick.After)
		for misses := 0; ; {
			before := at
			err := l.readOnce(ctx, &at, yield)
			var broken *brokenError
			switch {
			case errors.Is(err, errEnough):
				return
			case !errors.As(err, &broken) || ctx.Err() != nil:
				yield(Event{}, fmt.Errorf("read the audit trail after %d: %w", at, err))
				return
			}
			if misses++; at > before {
				misses = 1
			}
			if misses > maxMisses {
				yield(Event{}, fmt.Errorf("read the audit trail after %d: broken off %d times: %w", at, misses, err))
				return
			}
			if l.Broken != nil {
				l.Broken(err)
			}
			if err := workload.Pause(ctx, firstMiss<<misses/2); err != nil {
				yield(Event{}, err)
				return
			}
		}
	}
}

// errEnough ends a reading whose reader wants no more, or that has come to its end.
var errEnough = errors.New("enough was read")

// brokenError is the end of an answer that has no end.
type brokenError struct{ err error }

func (e *brokenError) Error() string { return "the answer was broken off: " + e.err.Error() }
func (e *brokenError) Unwrap() error { return e.err }

// readOnce yields what one answer brings after *at, and moves it.
func (l *Log) readOnce(ctx context.Context, at *uint64, yield func(Event, error) bool) error {
	q := l.Pick.query()
	q.Set("after", strconv.FormatUint(*at, 10))
	body, err := open(ctx, l.Server, workload.Request{
		Method: http.MethodGet, Path: auditPath, Query: q, Headers: map[string]string{"Accept": "application/x-ndjson"},
	}, rangeSilence)
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // it was only read
	for text := newLines(body); ; {
		line, err := text.next()
		switch {
		case errors.Is(err, io.EOF):
			return errEnough
		case errors.Is(err, errLongLine):
			return err
		case err != nil:
			return &brokenError{err}
		}
		e, err := parse(line)
		switch {
		case err != nil:
			return err
		case e.Position <= *at:
			return fmt.Errorf("position %d came after %d", e.Position, *at)
		case l.Pick.Until > 0 && e.Position > l.Pick.Until, !yield(e, nil):
			return errEnough
		}
		*at = e.Position
	}
}

// Name is what identifies the log: the id of the event that named it.
func (l *Log) Name(ctx context.Context) (string, error) {
	first, err := l.page(ctx, url.Values{"limit": {"10"}}) // it is appended first; no need to search
	if err == nil && named(first) == "" {
		first, err = l.page(ctx, url.Values{"stream": {"store"}, "limit": {"1"}})
	}
	if err != nil {
		return "", fmt.Errorf("ask which log this is: %w", err)
	}
	if name := named(first); name != "" {
		return name, nil
	}
	return "", errors.New("ask which log this is: it has no StoreNamed")
}

func named(first []Event) string {
	for i := range first {
		if first[i].Type == storeNamed {
			return first[i].ID.String()
		}
	}
	return ""
}

// First is the first event that the log's pick means; nil where there is none.
func (l *Log) First(ctx context.Context) (*Event, error) {
	q := l.Pick.query()
	q.Set("after", strconv.FormatUint(l.Pick.After, 10))
	q.Set("limit", "1")
	first, err := l.page(ctx, q)
	if err != nil || len(first) == 0 {
		return nil, err
	}
	return &first[0], nil
}

// page reads one, and searches on where the server found nothing in its time.
func (l *Log) page(ctx context.Context, q url.Values) ([]Event, error) {
	for {
		var page struct {
			Items      []json.RawMessage `json:"items"`
			NextCursor string            `json:"next_cursor"`
		}
		if _, err := l.Server.Do(ctx, workload.Request{Method: http.MethodGet, Path: auditPath, Query: q}, &page); err != nil {
			return nil, err
		}
		if len(page.Items) == 0 && page.NextCursor != "" {
			q.Set("cursor", page.NextCursor)
			continue
		}
		all := make([]Event, len(page.Items))
		for i, text := range page.Items {
			var err error
			if all[i], err = parse(text); err != nil {
				return nil, err
			}
		}
		return all, nil
	}
}

// Head is about where the log ends, for a progress bar; an error where the server cannot say.
func (l *Log) Head(ctx context.Context) (uint64, error) {
	var answer struct {
		Items []struct {
			Head uint64 `json:"head,string"`
		} `json:"items"`
	}
	ctx, cancel := context.WithTimeout(ctx, headTimeout)
	defer cancel()
	if _, err := l.Server.Do(ctx, workload.Request{Method: http.MethodGet, Path: "/v1/projections"}, &answer); err != nil {
		return 0, fmt.Errorf("ask for the log's head: %w", err)
	}
	for _, item := range answer.Items {
		if item.Head > 0 {
			return item.Head, nil
		}
	}
	return 0, errors.New("ask for the log's head: no projection knows it")
}

// headTimeout is how long a bar is worth waiting for.
const headTimeout = 3 * time.Second
