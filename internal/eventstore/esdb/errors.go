package esdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tidings-io/tidings/internal/events"
)

var (
	errConnecting = errors.New("no connection has been made yet")
	errClosed     = fmt.Errorf("%w: closed by this program", events.ErrStoreUnavailable)
	errLost       = errors.New("the connection was lost before the call")
	errCut        = errors.New("the event store has stopped answering")
	errAbandoned  = errors.New("the event store's client does not return")
	errPanic      = errors.New("the event store's client panicked")
	errSilent     = errors.New("the event store does not answer")
	errImpossible = errors.New("the event store sent what cannot be")
)

// fate is what an error says about the call that got it.
type fate int

const (
	done    fate = iota // no error
	refused             // the store has answered: no
	unsent              // the call did not reach the store, or only in part
	doubted             // the call may have been carried out
	failed              // the store has answered that something is wrong with it; doubted too
)

// judge reads an error of the client. The second result is the error to return,
// if it is to be returned: one of package events' own where there is one.
//
// The client wraps what goes wrong before an append's request is complete, and
// the store does nothing before it is complete; so an error that is wrapped
// tells that nothing was written.
func judge(err error) (fate, error) {
	if err == nil {
		return done, nil
	}
	var problem *client.Error
	switch {
	case errors.Is(err, errImpossible):
		return refused, err
	case errors.Is(err, errPanic):
		return failed, err
	case errors.Is(err, errLost):
		return unsent, err
	case !errors.As(err, &problem):
		return doubted, err
	}
	_, complete := err.(*client.Error) //nolint:errorlint // whether it is wrapped is the question
	switch problem.Code() {
	case client.ErrorCodeWrongExpectedVersion:
		return refused, fmt.Errorf("%w: %w", events.ErrWrongRevision, err)
	case client.ErrorCodeStreamDeleted:
		return refused, fmt.Errorf("%w: %w", events.ErrStreamDeleted, err)
	case client.ErrorCodeAccessDenied, client.ErrorCodeUnauthenticated, client.ErrorCodeUnsupportedFeature,
		client.ErrorCodeResourceNotFound:
		return refused, err
	case client.ErrorCodeConnectionClosed, client.ErrorCodeNotLeader:
		return unsent, err
	case client.ErrorUnavailable, client.ErrorCodeDeadlineExceeded, client.ErrorAborted:
		if !complete {
			return unsent, err
		}
		return doubted, err
	}
	return judgeStatus(err, complete)
}

func judgeStatus(err error, complete bool) (fate, error) {
	switch status.Code(errors.Unwrap(err)) { // the others are doubtful
	case codes.InvalidArgument:
		if strings.Contains(strings.ToLower(err.Error()), "append size") {
			return refused, fmt.Errorf("%w: %w", events.ErrTooLarge, err)
		}
		return refused, err
	case codes.ResourceExhausted:
		if strings.Contains(err.Error(), "larger than max") { // the transport's words
			return refused, fmt.Errorf("%w: %w", events.ErrTooLarge, err)
		}
		// The store's disk is full, say: nothing was written, and it says so itself; a new connection would not help.
		return refused, fmt.Errorf("%w: %w", events.ErrStoreUnavailable, err)
	case codes.FailedPrecondition, codes.OutOfRange:
		return refused, err
	case codes.Canceled:
		if complete {
			return doubted, err
		}
		return unsent, err
	}
	if complete {
		return failed, err
	}
	return unsent, err
}

// broken says whether an error is the connection's: no more calls should be
// given to it.
func broken(err error) bool {
	var problem *client.Error
	return errors.As(err, &problem) &&
		(problem.Code() == client.ErrorUnavailable || problem.Code() == client.ErrorCodeConnectionClosed)
}

// learn draws conclusions about a connection from a call's error.
func (s *Store) learn(c *connection, err error) {
	switch {
	case err == nil:
	case broken(err):
		s.lose(c, err)
	case errors.Is(err, context.Canceled), status.Code(errors.Unwrap(err)) == codes.Canceled, errors.Is(err, errCut):
		// That was us.
	default:
		if f, _ := judge(err); f != refused {
			c.suspect()
		}
	}
}

// isEnd says that a read has come to its end: the last event, or no stream.
func isEnd(err error) bool {
	if err == io.EOF { //nolint:errorlint // wrapped, it is a broken call
		return true
	}
	problem, ok := err.(*client.Error) //nolint:errorlint // as above
	return ok && problem.Code() == client.ErrorCodeResourceNotFound
}
