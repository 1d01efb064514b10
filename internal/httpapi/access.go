package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/tidings-io/tidings/internal/access"
	"github.com/tidings-io/tidings/internal/events"
)

// needs says who may use a route. Its zero value lets admins alone, so that a route
// that says nothing is closed.
type needs struct {
	anybody bool           // no credential is asked for
	scopes  []access.Scope // any of these; an admin has all
	own     bool           // the user that the path names is whoever asks, or an admin asks
	topic   bool           // the topic that the path names is among theirs
	// everyTopic keeps those out whose topics are limited.
	everyTopic bool
}

// everybody is who all are without access control.
var everybody = &access.Identity{Subject: devSubject, User: devSubject, Scopes: []access.Scope{access.Admin}}

type identityKey struct{}

// identity is who sent a request that was admitted.
func identity(r *http.Request) *access.Identity {
	if i, ok := r.Context().Value(identityKey{}).(*access.Identity); ok {
		return i
	}
	return everybody
}

func subject(r *http.Request) string { return identity(r).Subject }

// authenticate finds out who sends a request.
func (a *api) authenticate(r *http.Request) (*http.Request, error) {
	if a.access == nil {
		return r, nil
	}
	credential, err := a.credential(r)
	if err != nil {
		return r, err
	}
	i, err := a.access.Authenticate(r.Context(), credential)
	if err != nil {
		if refused, ok := errors.AsType[*access.Refused](err); ok {
			a.refusals.happened(r, refused.Reason)
		}
		return r, fromAccess(err)
	}
	return r.WithContext(context.WithValue(r.Context(), identityKey{}, i)), nil
}

// fromAccess is what to say of a credential that is not taken.
func fromAccess(err error) error {
	var refused *access.Refused
	switch {
	case errors.As(err, &refused):
		return &fault{
			code: codeInvalidToken, detail: refused.Reason,
			challenge: fmt.Sprintf(`Bearer realm="tidings", error="invalid_token", error_description=%q`, refused.Reason),
		}
	case errors.Is(err, access.ErrUnavailable):
		return fmt.Errorf("%w: %w", errAccessAway, err)
	default:
		return err
	}
}

var errAccessAway = errors.New("who it is cannot be found out now")

// cookieName is where browsers keep a token for streams, as EventSource cannot send
// headers.
const cookieName = "tidings_token"

// credential is what a request shows: the header wins over the query, and that over
// the cookie, which browsers send unasked.
func (a *api) credential(r *http.Request) (string, error) {
	switch headers := r.Header.Values("Authorization"); {
	case len(headers) > 1:
		return "", unauthenticated("the header Authorization is given more than once")
	case len(headers) == 1:
		scheme, credential, _ := strings.Cut(headers[0], " ")
		if credential = strings.TrimSpace(credential); !strings.EqualFold(scheme, "Bearer") || credential == "" {
			return "", unauthenticated("the header Authorization is read as 'Bearer <token or API key>'")
		}
		return credential, nil
	}
	if token := r.URL.Query().Get("access_token"); token != "" {
		switch {
		case access.LooksLikeKey(token):
			return "", errKeyPlace
		case !a.queryToken:
			return "", unauthenticated("tokens in the query string are not taken here: send the header 'Authorization: Bearer <token>', or the cookie " + cookieName)
		case !safe(r.Method):
			return "", unauthenticated("a token in the query string is for reading alone")
		}
		return token, nil
	}
	return cookie(r)
}

// errKeyPlace keeps what may be valid for ever out of the places where it is kept and
// logged.
var errKeyPlace = unauthenticated("an API key is taken in the header Authorization alone: send 'Authorization: Bearer <API key>'")

// cookie is the token that a browser keeps.
func cookie(r *http.Request) (string, error) {
	cookies := r.CookiesNamed(cookieName)
	switch {
	case len(cookies) == 0 || cookies[0].Value == "":
		return "", unauthenticated("no token and no API key came with it: send the header 'Authorization: Bearer <token or API key>'")
	case len(cookies) > 1: // another host of the same site can set one beside this host's
		return "", unauthenticated("the cookie " + cookieName + " came more than once: delete those of other paths and domains")
	case access.LooksLikeKey(cookies[0].Value):
		return "", errKeyPlace
	case !safe(r.Method) && !saysWhereFrom(r):
		return "", &fault{
			code:   codeCrossOrigin,
			detail: "a change by cookie needs the header Sec-Fetch-Site or Origin, which browsers send: other programs use the header Authorization",
		}
	}
	return cookies[0].Value, nil
}

// saysWhereFrom: a browser says where a request comes from, and edge has judged it. Who
// does not say may be a page that got one to keep silent; and a page in clear may be
// anybody's, though it has this server's name.
func saysWhereFrom(r *http.Request) bool {
	if r.Header.Get("Sec-Fetch-Site") != "" {
		return true
	}
	origin := r.Header.Get("Origin")
	return origin != "" && (r.TLS == nil || strings.HasPrefix(origin, "https://"))
}

func safe(method string) bool { return method == http.MethodGet || method == http.MethodHead }

func unauthenticated(detail string) error {
	return &fault{code: codeUnauthenticated, detail: detail, challenge: `Bearer realm="tidings"`}
}

// authorize says whether whoever sent the request may use the route.
func (a *api) authorize(r *http.Request, n needs) error {
	i := identity(r)
	if err := n.scope(i); err != nil {
		return err
	}
	if n.own {
		var f fields
		if user := f.user(r); !i.Is(user) {
			return notTheirs()
		}
	}
	if n.everyTopic && i.Topics != nil {
		return forbidden("the credential is limited to some topics, and this is about all of them")
	}
	if n.topic {
		var f fields
		if topic := f.topic(r); f.err() == nil && !i.Topics.Match(topic) { // what is no topic, the endpoint refuses
			return outside("topic")
		}
	}
	return nil
}

func (n needs) scope(i *access.Identity) error {
	wanted := n.scopes
	if len(wanted) == 0 {
		wanted = []access.Scope{access.Admin}
	}
	names := make([]string, len(wanted))
	for at, scope := range wanted {
		if i.Has(scope) {
			return nil
		}
		names[at] = string(scope)
	}
	return &fault{
		code: codeInsufficientScope, detail: "the scope " + strings.Join(names, " or ") + " is missing",
		challenge: fmt.Sprintf(`Bearer realm="tidings", error="insufficient_scope", scope=%q`, strings.Join(names, " ")),
	}
}

// forbidden is what to say of a credential whose scope is right.
func forbidden(detail string) error {
	return &fault{
		code: codeForbidden, detail: detail,
		challenge: fmt.Sprintf(`Bearer realm="tidings", error="insufficient_scope", error_description=%q`, detail),
	}
}

func notTheirs() error {
	return forbidden("this belongs to another user: only an admin (scope admin) acts for others")
}

// outside names where a topic stands that is not among those the credential is for.
func outside(field string) error {
	return forbidden(field + ": no pattern among the credential's topics matches it")
}

// mayReach refuses targets, in a field, that are not for whoever asks to publish to.
func mayReach(r *http.Request, field string, to []events.Target) error {
	i := identity(r)
	for at, target := range to {
		if !i.MayReach(target) {
			return outside(fmt.Sprintf("%s[%d]", field, at))
		}
	}
	return nil
}

// mayChange refuses users that are not for whoever asks to act for.
func mayChange(r *http.Request, users ...[]events.User) error {
	i := identity(r)
	for _, some := range users {
		for _, user := range some {
			if !i.Is(user) {
				return notTheirs()
			}
		}
	}
	return nil
}

// hold gives a request that may take long a context that ends with what it showed.
func (a *api) hold(r *http.Request) (held *http.Request, stop func()) {
	if a.access == nil {
		return r, func() {}
	}
	ctx, stop := a.access.Hold(r.Context(), *identity(r))
	return r.WithContext(ctx), stop
}
