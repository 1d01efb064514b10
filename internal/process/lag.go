package process

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/httpapi"
	"github.com/tidings-io/tidings/internal/projections"
	"github.com/tidings-io/tidings/internal/queries"
)

// behindAfter is when the read model is said to be behind: a query that is to be as
// new as a command just answered waits no longer than this.
const behindAfter = 5 * time.Second

// lag is how far what readers are answered from is behind, as its projector wrote
// down within the last second, or else by the log itself.
func (c *Connections) lag(ctx context.Context, reads *queries.Queries) (httpapi.Lag, error) {
	versions, err := reads.Projections(ctx)
	if err != nil {
		return httpapi.Lag{}, err
	}
	i := slices.IndexFunc(versions, func(v queries.Version) bool { return v.Serving })
	if i < 0 {
		return httpapi.Lag{}, errors.New("no version of the read model serves")
	}
	v := versions[i]
	lag := httpapi.Lag{Events: v.LagEvents, Age: time.Duration(v.LagSeconds * float64(time.Second))}
	if v.State != string(projections.StateRunning) {
		at, _, err := reads.Checkpoint(ctx)
		if err != nil {
			return lag, err
		}
		if lag, err = lagByLog(ctx, c.Store, at); err != nil {
			return lag, err
		}
	}
	lag.Building = !v.CaughtUp && lag.Events > 0 && !justSwitched(v.State)
	lag.Reason = whyBehind(lag, v.State, v.Reason)
	return lag, nil
}

// justSwitched says of a version that serves that its state is of before it did: it had
// caught up then, as none takes over before.
func justSwitched(state string) bool { return state == "building" || state == "ready" }

// lagByLog looks into the log for what comes after a position.
func lagByLog(ctx context.Context, log *Store, at events.Position) (httpapi.Lag, error) {
	for next, err := range log.ReadAll(ctx, at, events.Filter{}) {
		if err != nil {
			return httpapi.Lag{}, fmt.Errorf("look for what comes after %s: %w", at, err)
		}
		head, err := log.Head(ctx)
		if err != nil {
			return httpapi.Lag{}, fmt.Errorf("ask for the head of the log: %w", err)
		}
		return httpapi.Lag{
			Events: int64(max(head, next.Position) - at), //nolint:gosec // at most MaxPosition
			Age:    time.Since(next.At),
		}, nil
	}
	return httpapi.Lag{}, nil
}

// whyBehind is "" where it is not behind: what nobody writes and nobody misses is not.
func whyBehind(lag httpapi.Lag, state, reason string) string {
	switch {
	case lag.Building:
		return "it is being folded for the first time: answers leave out what has not been reached yet"
	case lag.Age < behindAfter:
		return ""
	case state == string(projections.StateRunning):
		return "the projector does not keep up"
	case state == "unknown":
		return "no projector is at work"
	case reason == "":
		return state
	default:
		return state + ": " + reason
	}
}

// lag is how far what this projector keeps is behind, whether it is the one
// that works or stands by.
func (p Projector) lag(ctx context.Context, inbox *projections.Versions) (lag httpapi.Lag, err error) {
	status := inbox.Status()
	if status.State == projections.StateRunning {
		lag = httpapi.Lag{Events: int64(status.LagEvents), Age: status.Lag} //nolint:gosec // at most MaxPosition
	} else if lag, err = lagByLog(ctx, p.Store, status.Position); err != nil {
		return lag, err
	}
	lag.Building = status.Building && lag.Events > 0
	lag.Reason = whyBehind(lag, string(status.State), status.Reason)
	return lag, nil
}
