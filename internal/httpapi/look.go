package httpapi

import (
	"context"
	"net/http"

	"github.com/tidings-io/tidings/internal/events"
)

// What of another's can be looked at.
const (
	lookInbox   = "inbox"   // and what else is a user's own
	lookExplain = "explain" // what reached them, and what they did to it
)

// looked records that somebody looked at what is another's, as reading the audit trail
// is recorded: in the log of the program.
func (a *api) looked(r *http.Request, kind string, at events.User) {
	a.logger.InfoContext(context.WithoutCancel(r.Context()), "what is another's was read",
		"actor", subject(r), "correlation_id", requestID(r), "kind", kind, "user", string(at),
		"path", r.URL.Path, "as_of", r.URL.Query().Get("as_of"))
}
