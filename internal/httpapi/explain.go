package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/tidings-io/tidings/internal/commands"
	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/queries"
)

// explain answers from the log, which has everything: there is nothing to wait for.
func (a *api) explain(ctx context.Context, r *http.Request, q *ask, _ queries.AtLeast) (any, error) {
	id, user := q.notificationID(r), q.whom()
	if err := q.err(); err != nil {
		return nil, err
	}
	a.looked(r, lookExplain, user)
	explanation, err := a.reads.Explain(ctx, id, user)
	for i := range explanation.Steps {
		explanation.Steps[i].Audit = auditLink(explanation.Steps[i])
	}
	return explanation, orNotFound(err, commands.CodeNotFound)
}

// auditLink leads to an event in the audit trail. It names the stream, too: only there
// may every store be asked for what comes after any number.
func auditLink(s queries.ExplainStep) string {
	return fmt.Sprintf("/v1/audit/events?stream=%s&after=%s&limit=1", url.QueryEscape(string(s.Stream)), s.Position-1)
}

// whom reads the parameter user, which must be there.
func (q *ask) whom() events.User {
	text := q.values.Get("user")
	if text == "" {
		q.flaw("user", "is missing: explain to whom")
		return ""
	}
	user, err := events.ParseUser(text)
	if err != nil {
		q.flaw("user", "%s", err)
	}
	return user
}
