package workload

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// changeAnswer answers a subscribe, an unsubscribe and a publish.
type changeAnswer struct {
	ID       string `json:"id"` // of the notification
	Position string `json:"position"`
}

// send performs one line.
func (s *Server) send(ctx context.Context, op *Op, correlation string) (changeAnswer, Reply, error) {
	r := Request{Headers: map[string]string{"X-Request-Id": correlation}}
	switch op.Kind {
	case Subscribe, Unsubscribe:
		r.Method = http.MethodPut
		if op.Kind == Unsubscribe {
			r.Method = http.MethodDelete
		}
		r.Path = "/v1/users/" + url.PathEscape(op.User) + "/subscriptions/" + url.PathEscape(op.Topic)
	case Publish:
		r.Method, r.Path = http.MethodPost, "/v1/notifications"
		r.Headers["Idempotency-Key"] = op.ID
		r.Body = notification(op)
	}
	var answer changeAnswer
	got, err := s.Do(ctx, r, &answer)
	return answer, got, err
}

type notificationBody struct {
	To       []string `json:"to"`
	Title    string   `json:"title"`
	Severity string   `json:"severity"`
	Sender   string   `json:"sender"`
}

func notification(op *Op) notificationBody {
	to := make([]string, len(op.Topics))
	for i, topic := range op.Topics {
		to[i] = "topic:" + topic
	}
	return notificationBody{To: to, Title: op.Title, Severity: op.Severity, Sender: op.Sender}
}

// auditEvent is the part of a recorded event that tells which line caused it.
type auditEvent struct {
	Stream   string `json:"stream"`
	Position string `json:"position"`
	Metadata struct {
		CorrelationID string `json:"$correlationId"`
	} `json:"metadata"`
}

// auditPage returns up to 1,000 events of a category after a position; "" is the beginning.
func (s *Server) auditPage(ctx context.Context, category, after string) ([]auditEvent, error) {
	query := url.Values{"category": {category}, "limit": {"1000"}}
	if after != "" {
		query.Set("after", after)
	}
	var page struct {
		Items []auditEvent `json:"items"`
	}
	_, err := s.Do(ctx, Request{Method: http.MethodGet, Path: "/v1/audit/events", Query: query}, &page)
	if err != nil {
		return nil, fmt.Errorf("read the audit log of %s after %q: %w", category, after, err)
	}
	return page.Items, nil
}

// inboxItem is the part of an inbox item that says what it is and where.
type inboxItem struct {
	ID       string `json:"id"`
	Position string `json:"position"`
}

// inbox returns all items of a user's inbox, newest first, from an answer that has passed waitFor.
func (s *Server) inbox(ctx context.Context, user string, waitFor uint64) ([]inboxItem, error) {
	path := "/v1/users/" + url.PathEscape(user) + "/inbox"
	items, err := pages[inboxItem](ctx, s, path, 100, waitFor)
	if err != nil {
		return nil, fmt.Errorf("read the inbox of %s: %w", user, err)
	}
	return items, nil
}

// subscriptions returns how many topics a user follows.
func (s *Server) subscriptions(ctx context.Context, user string, waitFor uint64) (int, error) {
	path := "/v1/users/" + url.PathEscape(user) + "/subscriptions"
	items, err := pages[struct{}](ctx, s, path, 100, waitFor)
	if err != nil {
		return 0, fmt.Errorf("read the subscriptions of %s: %w", user, err)
	}
	return len(items), nil
}

// pages reads a list to its end.
func pages[T any](ctx context.Context, s *Server, path string, limit int, waitFor uint64) ([]T, error) {
	var all []T
	query := url.Values{"limit": {strconv.Itoa(limit)}, "wait_for": {strconv.FormatUint(waitFor, 10)}}
	for {
		var page struct {
			Items      []T    `json:"items"`
			NextCursor string `json:"next_cursor"`
		}
		if _, err := s.Do(ctx, Request{Method: http.MethodGet, Path: path, Query: query}, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.NextCursor == "" {
			return all, nil
		}
		if page.NextCursor == query.Get("cursor") {
			return nil, fmt.Errorf("the cursor %q leads to itself", page.NextCursor)
		}
		query.Set("cursor", page.NextCursor)
	}
}
