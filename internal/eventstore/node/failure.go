package node

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// Trailers by which clients of EventStoreDB tell failures apart.
const (
	trailerException       = "exception"
	trailerStream          = "stream-name"
	trailerExpected        = "expected-version"
	trailerActual          = "actual-version"
	trailerMaxAppend       = "maximum-append-size"
	trailerRequired        = "required-metadata-properties"
	exceptionStreamDeleted = "stream-deleted"
	exceptionWrongVersion  = "wrong-expected-version"
	exceptionMaxAppend     = "maximum-append-size-exceeded"
	exceptionRequired      = "missing-required-metadata-property"
)

// failure is a status with its trailers.
type failure struct {
	status   *status.Status
	trailers metadata.MD
}

func (f *failure) Error() string { return f.status.Message() }

// refuse makes a failure; its trailers are keys and values in turn.
func refuse(code codes.Code, message string, trailers ...string) *failure {
	for i, text := range trailers {
		trailers[i] = printable(text)
	}
	return &failure{status: status.New(code, message), trailers: metadata.Pairs(trailers...)}
}

// printable is a text as a header may carry it. A stream's name may have any character; a client would take the whole answer for
// broken. What is not printable ASCII, or a mark that would be taken for an escape then, is escaped as in a URL.
func printable(text string) string {
	const firstPrintable, lastPrintable = ' ', '~'
	if strings.IndexFunc(text, func(r rune) bool { return r < firstPrintable || r > lastPrintable }) < 0 {
		return text
	}
	return url.PathEscape(text)
}

// errStopping ends what is open when the node stops; clients look for the node again.
var errStopping = refuse(codes.Unavailable, "Server Is Not Ready")

// failed maps an error to what the client understands: the only place where the log's errors become status codes.
func failed(err error) *failure {
	if known, ok := errors.AsType[*failure](err); ok {
		return known
	}
	if deleted, ok := errors.AsType[*eventlog.StreamDeleted](err); ok {
		return refuse(codes.FailedPrecondition, err.Error(), trailerException, exceptionStreamDeleted, trailerStream, deleted.Stream)
	}
	if wrong, ok := errors.AsType[*eventlog.WrongRevision](err); ok {
		return refuse(codes.FailedPrecondition, err.Error(), trailerException, exceptionWrongVersion, trailerStream, wrong.Stream,
			trailerExpected, strconv.FormatInt(int64(wrong.Expected), 10), trailerActual, strconv.FormatInt(int64(wrong.Current), 10))
	}
	var broken *eventlog.Failed
	switch {
	case errors.As(err, &broken):
		return refuse(codes.Aborted, err.Error()) // as a real node's commit timeout: the outcome is unknown
	case errors.Is(err, eventlog.ErrFull):
		return refuse(codes.ResourceExhausted, err.Error())
	case errors.Is(err, eventlog.ErrClosed):
		return errStopping
	case errors.Is(err, context.DeadlineExceeded):
		return refuse(codes.DeadlineExceeded, err.Error())
	case errors.Is(err, context.Canceled):
		return refuse(codes.Canceled, err.Error())
	case errors.Is(err, eventlog.ErrInvalid):
		return refuse(codes.Unknown, err.Error()) // as a real node's handler that threw
	}
	if s, ok := status.FromError(err); ok {
		return &failure{status: s}
	}
	return refuse(codes.Internal, err.Error())
}
