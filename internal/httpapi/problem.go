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
	"github.com/tidings-io/tidings/internal/queries"
)

// The codes of problems, beside those of refusals in package commands. Clients
// rely on them: a code never changes its meaning.
const (
	codeMalformed       = "malformed"
	codeCrossOrigin     = "cross_origin"
	codeUnauthenticated = "unauthenticated"
	codeInvalidToken    = "invalid_token"
	codeForbidden       = "forbidden"
	codeAccessAway      = "access_unavailable"
	codeRateLimited     = "rate_limited"
	codeQuotaExceeded   = "quota_exceeded"

	codeInsufficientScope = "insufficient_scope"

	codeMisdirected      = "misdirected_request"
	codeNotFound         = "not_found"
	codeTopicNotFound    = "topic_not_found"
	codeMethodNotAllowed = "method_not_allowed"
	codeTimeout          = "request_timeout"
	codeStreamDeleted    = "stream_deleted"
	codeTooLarge         = "too_large"
	codeMediaType        = "unsupported_media_type"
	codeInvalid          = "validation"
	codeInternal         = "internal"
	codeStoreUnavailable = "store_unavailable"
	codeOutcomeUnknown   = "outcome_unknown"
	codeDatabaseAway     = "database_unavailable"
	codeNotYetProjected  = "not_yet_projected"
	codeTooFarBack       = "too_far_back"

	codeProjectionNotFound = "projection_not_found"
	codeNoReport           = "no_report"
	codeNotHalted          = "not_halted"
)

// kind is what all problems of one code share.
type kind struct {
	status     int
	title      string
	meaning    string        // for the page of errors
	retryAfter time.Duration // 0 for none
}

// kinds is the one map from codes to statuses.
var kinds = map[string]kind{
	codeMalformed: {
		status: http.StatusBadRequest, title: "The request is malformed",
		meaning: "The request cannot be read: it is not JSON, not UTF-8, or wrongly encoded. Nothing was done.",
	},
	codeCrossOrigin: {
		status: http.StatusForbidden, title: "Requests from other sites are refused",
		meaning: "A browser sent this on behalf of a page of another site. Nothing was done.",
	},
	codeUnauthenticated: {
		status: http.StatusUnauthorized, title: "Say who you are",
		meaning: "No credential came with it: a token or an API key is needed. Nothing was done.",
	},
	codeInvalidToken: {
		status: http.StatusUnauthorized, title: "The credential is not taken",
		meaning: "The token or the API key is not right, has expired, or was revoked: the detail says which, as far as that is nobody else's business. Nothing was done.",
	},
	codeInsufficientScope: {
		status: http.StatusForbidden, title: "A scope is missing",
		meaning: "The credential is right, but not for this: the detail and the header WWW-Authenticate name the scope that is missing. Nothing was done.",
	},
	codeForbidden: {
		status: http.StatusForbidden, title: "This is not yours",
		meaning: "The credential is right, but for other topics, or for another user. Nothing was done.",
	},
	codeRateLimited: {
		status: http.StatusTooManyRequests, title: "Too many requests", retryAfter: time.Second,
		meaning: "A limit is reached: the header RateLimit-Policy names those there are, and Retry-After says when to come again. Nothing was done.",
	},
	codeQuotaExceeded: {
		status: http.StatusTooManyRequests, title: "The day's quota is used up",
		meaning: "The publisher has published as much as it may in a day (UTC). Nothing was done.",
	},
	codeAccessAway: {
		status: http.StatusServiceUnavailable, title: "Who you are cannot be checked now", retryAfter: 2 * time.Second,
		meaning: "The credential was not seen here before, and the event store or the key set that says whether it holds is away. Nothing was done. Try again.",
	},
	codeMisdirected: {
		status: http.StatusMisdirectedRequest, title: "The request is for another host",
		meaning: "This server is not served under the name in the header Host: call it by one of its own, or tell it the name with --hosts. Nothing was done.",
	},
	codeNotFound: {
		status: http.StatusNotFound, title: "There is nothing here",
		meaning: "No route has this path.",
	},
	commands.CodeNotFound: {
		status: http.StatusNotFound, title: "There is no such notification",
		meaning: "No notification has this id, or it has not reached the read model yet: use wait_for.",
	},
	codeTopicNotFound: {
		status: http.StatusNotFound, title: "There is no such topic",
		meaning: "Nobody has subscribed to, published to or described this topic yet.",
	},
	codeProjectionNotFound: {
		status: http.StatusNotFound, title: "There is no such projection",
		meaning: "There is one projection, inbox. Nothing was done.",
	},
	commands.CodeVersionNotFound: {
		status: http.StatusNotFound, title: "There is no such version",
		meaning: "The projection has no version of this number, or it was dropped: GET /v1/projections lists them. Nothing was done.",
	},
	codeNoReport: {
		status: http.StatusNotFound, title: "There is no parity report",
		meaning: "Versions are compared once a rebuilt one has caught up: there is no such version, or it has not come so far.",
	},
	commands.CodeVersionWanted: {
		status: http.StatusConflict, title: "This version serves readers",
		meaning: "The version serves readers, or is about to: activate another one before dropping it. Nothing was done.",
	},
	codeNotHalted: {
		status: http.StatusConflict, title: "The projection is not halted there",
		meaning: "Only the event at which a version is halted can be skipped: GET /v1/projections names it under halted. Nothing was done.",
	},
	codeMethodNotAllowed: {
		status: http.StatusMethodNotAllowed, title: "The method is not allowed here",
		meaning: "The path exists, but not for this method: the header Allow lists those that it has.",
	},
	codeTimeout: {
		status: http.StatusRequestTimeout, title: "The request took too long to arrive",
		meaning: "The body did not arrive in time. Nothing was done.",
	},
	commands.CodeConflict: {
		status: http.StatusConflict, title: "Others kept changing the same thing",
		meaning: "The command lost the race against others several times in a row: try again. Nothing was done.",
	},
	codeStreamDeleted: {
		status: http.StatusConflict, title: "This was deleted for good",
		meaning: "An operator deleted the stream of events behind it for good. Nothing was done.",
	},
	codeTooLarge: {
		status: http.StatusRequestEntityTooLarge, title: "The request is too large",
		meaning: "The body is above the limit of its route. Nothing was done.",
	},
	codeMediaType: {
		status: http.StatusUnsupportedMediaType, title: "The body is not JSON",
		meaning: "Bodies are sent with Content-Type: application/json, uncompressed. Nothing was done.",
	},
	codeInvalid: {
		status: http.StatusUnprocessableEntity, title: "The request is not valid",
		meaning: "The member errors names every field that is wrong, and what to do about it. Nothing was done.",
	},
	commands.CodeKeyReused: {
		status: http.StatusUnprocessableEntity, title: "The Idempotency-Key was used before",
		meaning: "The key came before with another body: use a new key for a new request. Nothing was done.",
	},
	codeInternal: {
		status: http.StatusInternalServerError, title: "Something is wrong on this side",
		meaning: "An unforeseen fault; the server's log has it under the request's id.",
	},
	codeStoreUnavailable: {
		status: http.StatusServiceUnavailable, title: "The event store is away", retryAfter: 2 * time.Second,
		meaning: "Nothing was done. Try again.",
	},
	codeOutcomeUnknown: {
		status: http.StatusServiceUnavailable, title: "The event store went away half-way", retryAfter: 2 * time.Second,
		meaning: "The command may or may not have been done: repeat it with the same Idempotency-Key to learn which. " +
			"The member id is the id that the notification or the batch has if it was.",
	},
	codeDatabaseAway: {
		status: http.StatusServiceUnavailable, title: "The read model's database is away", retryAfter: 2 * time.Second,
		meaning: "Commands and open streams still work; questions do not. Try again.",
	},
	codeNotYetProjected: {
		status: http.StatusServiceUnavailable, title: "The read model is not there yet", retryAfter: time.Second,
		meaning: "The read model did not reach the position asked for in time. Try again.",
	},
	codeTooFarBack: {
		status: http.StatusUnprocessableEntity, title: "That is too far back to be read in time",
		meaning: "The tables no longer reach back to this as_of, and more of the log would have to be read than there is time for: " +
			"ask for a later moment, or read the audit trail.",
	},
}

// Problem is the body of every error, as RFC 9457 has it.
type Problem struct {
	Type      string          `json:"type" doc:"Where the code is explained; stable."`
	Title     string          `json:"title"`
	Status    int             `json:"status"`
	Detail    string          `json:"detail,omitempty"`
	Code      string          `json:"code" doc:"Stable: rely on it."`
	RequestID string          `json:"request_id,omitempty"`
	Errors    []commands.Flaw `json:"errors,omitempty" doc:"Every field that is wrong."`
	ID        string          `json:"id,omitempty" doc:"With outcome_unknown: the notification's id, or the batch's."`
}

// fault is a request that cannot be served, found by the edge itself.
type fault struct {
	code      string
	detail    string
	flaws     []commands.Flaw
	challenge string // the header WWW-Authenticate; "" for none

	retryAfter time.Duration // 0: as the code has it
}

func (f *fault) Error() string { return f.code + ": " + f.detail }

func malformed(format string, args ...any) error {
	return &fault{code: codeMalformed, detail: fmt.Sprintf(format, args...)}
}

// maxFlaws bounds what one answer names; more help nobody.
const maxFlaws = 100

// invalid names every field that is wrong; nil when there is none.
func invalid(flaws []commands.Flaw) error {
	if len(flaws) > maxFlaws {
		flaws = flaws[:maxFlaws]
	}
	switch len(flaws) {
	case 0:
		return nil
	case 1:
		return &fault{code: codeInvalid, detail: sentence(flaws[0]), flaws: flaws}
	default:
		return &fault{
			code: codeInvalid, flaws: flaws,
			detail: fmt.Sprintf("%s; and %d more, see errors", sentence(flaws[0]), len(flaws)-1),
		}
	}
}

// sentence is a flaw as a person reads it.
func sentence(f commands.Flaw) string {
	if f.Field == "" {
		return f.Message
	}
	return f.Field + ": " + f.Message
}

func flaw(field, format string, args ...any) error {
	return invalid([]commands.Flaw{{Field: field, Message: fmt.Sprintf(format, args...)}})
}

// about is an error that concerns a notification or batch of this id.
type about struct {
	error
	id uuid.UUID
}

func (a *about) Unwrap() error { return a.error }

// problemOf is the one map from errors to problems.
func problemOf(err error) Problem {
	var (
		found   *fault
		refusal *commands.Refusal
		p       Problem
	)
	switch {
	case errors.As(err, &found):
		p = Problem{Code: found.code, Detail: found.detail, Errors: found.flaws}
	case errors.As(err, &refusal):
		p = Problem{Code: refusal.Code, Detail: refusal.Detail}
	case errors.Is(err, queries.ErrAhead):
		return problemOf(flaw("as_of", "has not come yet: give a time that has passed, or a position up to the head of the log"))
	case errors.Is(err, queries.ErrBadCursor):
		return problemOf(flaw("cursor", "is not a next_cursor of this list"))
	default:
		p = Problem{Code: codeOf(err)}
	}
	k, ok := kinds[p.Code]
	if !ok {
		p = Problem{Code: codeInternal}
		k = kinds[codeInternal]
	}
	if p.Detail == "" {
		p.Detail = k.meaning
	}
	p.Type, p.Title, p.Status = "/docs/errors#"+p.Code, k.title, k.status
	var named *about
	if p.Code == codeOutcomeUnknown && errors.As(err, &named) {
		p.ID = named.id.String()
	}
	return p
}

// codeOf is the code of an error that other packages answered.
func codeOf(err error) string {
	switch {
	case errors.Is(err, errAccessAway): // before what it was that is away
		return codeAccessAway
	case errors.Is(err, events.ErrOutcomeUnknown): // before the others: it is what must not be hidden
		return codeOutcomeUnknown
	case errors.Is(err, events.ErrStoreUnavailable):
		return codeStoreUnavailable
	case errors.Is(err, events.ErrTooLarge):
		return codeTooLarge
	case errors.Is(err, events.ErrStreamDeleted):
		return codeStreamDeleted
	case errors.Is(err, queries.ErrTooFar):
		return codeTooFarBack
	case errors.Is(err, queries.ErrNotYetProjected):
		return codeNotYetProjected
	case errors.Is(err, queries.ErrUnavailable):
		return codeDatabaseAway
	default:
		return codeInternal
	}
}

// isTemporary says whether an error will be another one soon. A stream tells it as
// an event, since EventSource never comes back after a 4xx or 5xx.
func isTemporary(err error) bool {
	status := problemOf(err).Status
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}

// statusGone is recorded, not sent, for a client that left before its answer.
const statusGone = 499

// fail answers an error, and logs what the operator should see. A fault of the
// request is answered even to a client that seems gone: a body that does not
// arrive ends the request's context as well.
func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	var found *fault
	errors.As(err, &found)
	if errors.Is(r.Context().Err(), context.Canceled) && found == nil {
		record(w).status = statusGone
		// Whoever only said that it will send no more still reads, and must not take
		// the 200 of an answer that nobody wrote for one.
		panic(http.ErrAbortHandler)
	}
	p := problemOf(err)
	if found != nil && found.challenge != "" {
		w.Header().Set("WWW-Authenticate", found.challenge)
	}
	if found != nil && found.retryAfter > 0 {
		retryAfter(w.Header(), found.retryAfter)
	}
	if p.Code == codeInternal {
		a.logger.ErrorContext(r.Context(), "a request failed",
			"route", record(w).route, "correlation_id", requestID(r), "error", err)
	}
	writeProblem(w, r, p)
}

func writeProblem(w http.ResponseWriter, r *http.Request, p Problem) {
	p.RequestID = requestID(r)
	h := w.Header()
	if wait := kinds[p.Code].retryAfter; wait > 0 && h.Get("Retry-After") == "" {
		retryAfter(h, wait)
	}
	if r.Context().Err() != nil || p.Status == http.StatusRequestTimeout || p.Status == http.StatusRequestEntityTooLarge {
		h.Set("Connection", "close") // what is left of the body is not waited for
	}
	if err := write(w, p.Status, "application/problem+json", p); err != nil {
		panic(err) // strings and numbers only
	}
}
