package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/commands"
	"github.com/tidings-io/tidings/internal/events"
)

// commandTimeout ends a command that hangs although the store bounds its calls.
const commandTimeout = 30 * time.Second

// done is what became of a command, and how that is answered.
type done struct {
	status   int
	body     any
	position events.Position
	changed  bool
	replayed bool // an earlier request with the same Idempotency-Key did it

	// waited makes the answer of a wait for the read model that was honoured; nil
	// where that changes nothing. An error means that it cannot be honoured.
	waited func(context.Context) (status int, body any, err error)
	// wait is how long the command waits unasked.
	wait time.Duration
}

// command makes an endpoint of one that decides: the answer carries the position,
// waits for the read model where the client prefers that, and is counted.
func (a *api) command(name func(*http.Request) string, decide func(http.ResponseWriter, *http.Request) (done, error)) endpoint {
	return func(w http.ResponseWriter, r *http.Request) error {
		ctx, cancel := context.WithTimeout(r.Context(), commandTimeout)
		defer cancel()
		ctx, span := a.traceCommand(ctx, name(r))
		d, err := decide(w, r.WithContext(ctx))
		if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("%w: %w", events.ErrOutcomeUnknown, err)
		}
		became := outcome(d, err)
		a.metrics.command(name(r), became)
		endCommand(span, became)
		if err != nil {
			return err
		}
		asked := preferredWait(r.Header)
		if a.wait(r.Context(), max(asked, d.wait), &d) && asked > 0 {
			w.Header().Set("Preference-Applied", "wait")
		}
		if d.replayed {
			w.Header().Set("Idempotency-Replayed", "true")
		}
		w.Header().Set("Tidings-Position", d.position.String())
		return writeJSON(w, d.status, d.body)
	}
}

// named is the name of an endpoint's only command.
func named(command string) func(*http.Request) string {
	return func(*http.Request) string { return command }
}

// wait waits for the read model and says whether it got there; then d is the
// answer that goes with it. A command stands whatever comes of the wait.
func (a *api) wait(ctx context.Context, patience time.Duration, d *done) bool {
	if patience <= 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if a.reads.WaitFor(ctx, d.position) != nil {
		return false
	}
	if d.waited == nil {
		return true
	}
	status, body, err := d.waited(ctx)
	if err != nil {
		return false
	}
	d.status, d.body = status, body
	return true
}

// metadata says who asked for a command's events, and why.
func (a *api) metadata(r *http.Request, commandID uuid.UUID) events.Metadata {
	return events.Metadata{
		CommandID: commandID, Attempt: a.newID(),
		CorrelationID: requestID(r), CausationID: commandID.String(),
		Actor: subject(r), TraceParent: parentFor(r),
	}
}

// The outcomes commands are counted by.
const (
	outcomeDone        = "done"
	outcomeUnchanged   = "unchanged"
	outcomeReplayed    = "replayed"
	outcomeRefused     = "refused" // by a business rule
	outcomeInvalid     = "invalid" // not understood, or not valid
	outcomeUnavailable = "unavailable"
	outcomeUnknown     = "unknown"
	outcomeFailed      = "failed"
)

var outcomes = []string{
	outcomeDone, outcomeUnchanged, outcomeReplayed, outcomeRefused,
	outcomeInvalid, outcomeUnavailable, outcomeUnknown, outcomeFailed,
}

func outcome(d done, err error) string {
	var refusal *commands.Refusal
	var found *fault
	switch {
	case err == nil && d.changed:
		return outcomeDone
	case err == nil && d.replayed:
		return outcomeReplayed
	case err == nil:
		return outcomeUnchanged
	case errors.As(err, &refusal):
		return outcomeRefused
	case errors.As(err, &found):
		return outcomeInvalid
	}
	switch codeOf(err) {
	case codeStoreUnavailable:
		return outcomeUnavailable
	case codeOutcomeUnknown:
		return outcomeUnknown
	default:
		return outcomeFailed
	}
}
