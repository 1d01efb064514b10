package httpapi

import (
	"context"
	"net/http"

	"github.com/tidings-io/tidings/internal/events"
)

// What of another's can be looked at.
const (
	lookInbox   = "inbox"   // a page of it, or its counts, as they were
	lookExplain = "explain" // what reached them, and what they did to it
)

// looked records that somebody looked into another's past, as reading the audit trail
// is recorded: in the log of the program. What is read of now is not: services read
// inboxes for the users they serve, all day long.
func (a *api) looked(r *http.Request, kind string, at events.User) {
	if a.access == nil || identity(r).User == at { // who asks is not known, or it is their own
		return
	}
	a.logger.InfoContext(context.WithoutCancel(r.Context()), "what is another's was read",
		"actor", subject(r), "correlation_id", requestID(r), "kind", kind, "user", string(at),
		"path", r.URL.Path, "as_of", r.URL.Query().Get("as_of"))
}
