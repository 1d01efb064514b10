package httpapi

import (
	"context"
	"net/http"

	"github.com/tidings-io/tidings/internal/events"
)

// What of another's can be looked at.
const (
	lookInbox   = "inbox"   // a page of it, or its counts, as they were
	lookMembers = "members" // who was subscribed to a topic
	lookExplain = "explain" // what reached them, and what they did to it
)

// looked records that somebody looked into the past of another user, or of a topic, for
// which user is "": in the log of the program, as reading the audit trail is recorded.
// What is read of now is not: services read inboxes for the users they serve, all day long.
func (a *api) looked(r *http.Request, kind string, user events.User) {
	if a.access == nil || user != "" && identity(r).User == user { // who asks is not known, or it is their own
		return
	}
	a.logger.InfoContext(context.WithoutCancel(r.Context()), "what is another's was read",
		"actor", subject(r), "correlation_id", requestID(r), "kind", kind, "user", string(user),
		"path", r.URL.Path, "as_of", r.URL.Query().Get("as_of"))
}
