package httpapi

import (
	"context"
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/tidings-io/tidings/internal/access"
	"github.com/tidings-io/tidings/internal/events"
)

// The kinds of reads of the audit trail.
const (
	auditPages   = "page"
	auditExports = "export"
	auditStreams = "stream"
)

// Why a read of the audit trail ended, where it is no code of a problem.
const (
	endedDone    = "done"
	endedGone    = "gone"     // the client left
	endedTooSlow = "too_slow" // the client did not take what was written
	endedAge     = "age"      // it may not last longer: the client goes on after the last position
	endedDrained = "drained"  // the process is stopping
	endedAccess  = "access"   // the credential is not valid any more
	notEnded     = "open"     // it begins
)

// auditRead is one read of the audit trail, of which a record is kept: in the log of
// the program, because docs/decisions/0010 says so.
type auditRead struct {
	a      *api
	r      *http.Request
	kind   string
	filter string
	after  events.Position
	began  time.Time

	events   int
	position events.Position // up to which everything picked was sent
}

func (a *api) auditRead(r *http.Request, kind, filter string, after events.Position) *auditRead {
	a.metrics.audits.reads.WithLabelValues(kind).Inc()
	return &auditRead{a: a, r: r, kind: kind, filter: filter, after: after, position: after, began: time.Now()}
}

// sent counts what the client was sent.
func (x *auditRead) sent(n int, through events.Position) {
	x.events += n
	x.position = max(x.position, through)
	x.a.metrics.audits.events.Add(float64(n))
}

// record writes who read what, and how it ended.
func (x *auditRead) record(ended string) {
	x.a.logger.InfoContext(context.WithoutCancel(x.r.Context()), "the audit trail was read",
		"actor", subject(x.r), "correlation_id", requestID(x.r), "kind", x.kind, "filter", x.filter,
		"after", x.after.String(), "events", x.events, "position", x.position.String(),
		"took", time.Since(x.began), "ended", ended)
}

// ended says why a read did: ctx is its own, err what went wrong, if anything did.
func (x *auditRead) ended(ctx context.Context, err error) string {
	refused, _ := errors.AsType[*access.Refused](context.Cause(ctx))
	switch {
	case refused != nil:
		return endedAccess
	case errors.Is(context.Cause(ctx), errDrained):
		return endedDrained
	case errors.Is(err, os.ErrDeadlineExceeded):
		return endedTooSlow
	case errors.Is(x.r.Context().Err(), context.Canceled):
		return endedGone
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return endedAge
	case errors.Is(err, errNotTaken):
		return endedGone
	case err != nil:
		return problemOf(err).Code
	}
	return endedDone
}

var (
	// errDrained ends streams when the process is told to stop.
	errDrained = errors.New("this process is stopping")
	// errNotTaken is for what could not be written.
	errNotTaken = errors.New("the client did not take it")
)
