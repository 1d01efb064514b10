package replay

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/workload"
)

// command is the request that does in the other instance what the step's event says; false where there is nothing to
// do: it is about notifications that were not replayed.
func (s *step) command(known *places) (workload.Request, bool, error) {
	r := workload.Request{Headers: map[string]string{"X-Request-Id": s.correlation()}}
	switch s.form.kind {
	case subscribes:
		r.Method, r.Path = http.MethodPut, subscriptionPath(&s.fact)
		r.Body = map[string]string{"min_severity": s.fact.MinSeverity, "filter": s.fact.Filter}
	case unsubscribes:
		r.Method, r.Path = http.MethodDelete, subscriptionPath(&s.fact)
	case prefers:
		r.Method, r.Path, r.Body = http.MethodPut, userPath(&s.fact)+"/preferences", preferences(&s.fact)
	case describes:
		r.Method, r.Path = http.MethodPut, "/v1/topics/"+url.PathEscape(s.fact.Topic)
		r.Body = map[string]string{"description": s.fact.Description}
	case publishes:
		body, err := notification(&s.fact)
		if err != nil {
			return r, false, err
		}
		r.Method, r.Path, r.Body = http.MethodPost, "/v1/notifications", body
		// The event's own id, as those of notifications may be the same in two logs: they follow from their senders' keys.
		r.Headers["Idempotency-Key"] = "replay-" + s.event.ID.String()
	case retracts:
		id, ok := known.id(s.fact.NotificationID)
		r.Method, r.Path = http.MethodDelete, "/v1/notifications/"+id.String()
		return r, ok, nil
	case marks:
		body, ok := s.items(known)
		r.Method, r.Path, r.Body = http.MethodPost, userPath(&s.fact)+"/inbox/"+s.form.change, body
		return r, ok, nil
	default:
		return r, false, nil
	}
	return r, true, nil
}

func userPath(f *fact) string { return "/v1/users/" + url.PathEscape(f.User) }

func subscriptionPath(f *fact) string {
	return userPath(f) + "/subscriptions/" + url.PathEscape(f.Topic)
}

// preferences are all of them: what is absent is not so there either.
func preferences(f *fact) map[string]any {
	body := map[string]any{}
	if len(f.MutedTopics) > 0 {
		body["muted_topics"] = f.MutedTopics
	}
	if len(f.QuietHours) > 0 {
		body["quiet_hours"] = f.QuietHours
	}
	if len(f.Channels) > 0 {
		body["channels"] = f.Channels
	}
	return body
}

// notification is a publish: what an event calls content, with what it has beside.
func notification(f *fact) (map[string]any, error) {
	var content map[string]json.RawMessage
	if err := json.Unmarshal(f.Content, &content); err != nil {
		return nil, fmt.Errorf("read the content of a notification: %w", err)
	}
	body := map[string]any{"to": f.To, "severity": f.Severity}
	for name, value := range content {
		body[name] = value
	}
	if f.Sender != "" {
		body["sender"] = f.Sender
	}
	if f.ExpiresAt != "" {
		body["expires_at"] = f.ExpiresAt
	}
	return body, nil
}

// items are those a change is about, as the other instance knows them: what was published after the change is not in
// the inbox that it was about.
func (s *step) items(known *places) (map[string]any, bool) {
	if len(s.fact.IDs) > 0 {
		var ids []uuid.UUID
		for _, id := range s.fact.IDs {
			if there, ok := known.idBefore(id, s.event.Position); ok {
				ids = append(ids, there)
			}
		}
		return map[string]any{"ids": ids}, len(ids) > 0
	}
	through := known.through(min(s.fact.Through, s.event.Position))
	return map[string]any{"through": strconv.FormatUint(through, 10)}, through > 0
}

// correlation is the request id that leads from one audit trail to the other.
func (s *step) correlation() string {
	const most = 128 // visible ASCII characters, or the server makes one of its own
	id := s.event.Metadata.CorrelationID
	if id == "" || len(id) > most {
		return s.event.ID.String()
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return s.event.ID.String()
		}
	}
	return id
}
