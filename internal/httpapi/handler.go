package httpapi

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"github.com/tidings-io/tidings/internal/inbox"
)

// endpoint serves a route; its error is answered as a problem.
type endpoint func(http.ResponseWriter, *http.Request) error

// New makes the handler of all routes. It may be called for any number of
// requests at once.
func New(c Config) (http.Handler, error) {
	a, err := newAPI(c)
	if err != nil {
		return nil, err
	}
	routes := a.routes(c)
	if a.metrics, err = newMetrics(c.Registerer, routes); err != nil {
		return nil, err
	}
	return a.edge(a.router(routes)), nil
}

// router knows the routes; what goes for all requests is edge's.
func (a *api) router(routes []route) *chi.Mux {
	mux := chi.NewRouter()
	for _, rt := range routes {
		// What is no change has no route, rather than a handler that says so.
		// The group keeps a name that only begins, or ends, like one from being taken for it.
		pattern := strings.ReplaceAll(rt.pattern, "{change}", "{change:(?:"+strings.Join(inbox.ChangeNames, "|")+")}")
		mux.Method(rt.method, pattern, a.serve(rt))
		if rt.method == http.MethodGet && !rt.stream {
			mux.Method(http.MethodHead, pattern, a.serve(rt))
		}
	}
	mux.NotFound(func(w http.ResponseWriter, r *http.Request) {
		hurry(w, r)
		a.fail(w, r, &fault{code: codeNotFound})
	})
	mux.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		hurry(w, r)
		allowed := allowedMethods(mux, r)
		if len(allowed) == 0 { // a method nobody knows, on no route
			a.fail(w, r, &fault{code: codeNotFound})
			return
		}
		for _, method := range allowed {
			w.Header().Add("Allow", method)
		}
		a.fail(w, r, &fault{code: codeMethodNotAllowed})
	})
	return mux
}

func (a *api) serve(rt route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		record(w).route = rt.pattern
		r, end := a.traceRequest(w, r, rt)
		panics := true
		defer func() { end(panics) }()
		r, err := a.admit(w, r, rt)
		if err == nil {
			err = rt.serve(w, r)
		} else {
			hurry(w, r)
		}
		switch {
		case err == nil:
		case rt.stream && isTemporary(err):
			a.busy(w, r, err)
		default:
			a.fail(w, r, err)
		}
		panics = false
	}
}

// admit finds out who sends a request, and whether they may, and now.
func (a *api) admit(w http.ResponseWriter, r *http.Request, rt route) (*http.Request, error) {
	if rt.needs.anybody {
		return r, nil
	}
	if err := a.limitAddress(w, r, rt.class()); err != nil {
		return r, err
	}
	r, err := a.authenticate(r)
	if err != nil {
		return r, err
	}
	if err := a.limitIdentity(w, r, rt.class()); err != nil {
		return r, err
	}
	return r, a.authorize(r, rt.needs)
}

// methods are those that any route has.
var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete}

func allowedMethods(mux *chi.Mux, r *http.Request) []string {
	return slices.DeleteFunc(slices.Clone(methods), func(method string) bool {
		return !mux.Match(chi.NewRouteContext(), method, r.URL.RawPath)
	})
}

// edge does what goes for every request: its id, the client's address, its escaped
// path, headers that keep browsers from harm, the time an answer may take, panics,
// and counting.
func (a *api) edge(routes http.Handler) http.Handler {
	inside := a.sites.handler(a.guarded(routes))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		rec := &recorder{ResponseWriter: w, patience: a.writeTimeout}
		r = locate(identify(rec, r, a.newID), a.proxies)
		secure(rec.Header(), r)
		r.URL.RawPath = r.URL.EscapedPath() // names may contain %2F: routing goes by the escaped path, always
		// Counted last, also when the answer is broken off.
		defer func() { a.done(rec, r, time.Since(began)) }()
		defer func() {
			if p := recover(); p != nil {
				a.panicked(rec, r, p)
			}
		}()
		inside.ServeHTTP(rec, r)
		rec.limitDeparture() // of what the server still holds back, and of the end of a stream
	})
}

// done counts a request, and says so to whoever wants to hear of each.
func (a *api) done(w *recorder, r *http.Request, took time.Duration) {
	a.metrics.request(w, r.Method, took)
	ctx := r.Context()
	if !a.logger.Enabled(ctx, slog.LevelDebug) {
		return
	}
	a.logger.DebugContext(w.inTrace(ctx), "a request was answered", "method", r.Method, "route", w.routeName(),
		"status", w.final(), "took", took, "correlation_id", requestID(r))
}

// guarded refuses what no route needs to see.
func (a *api) guarded(routes http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !a.hosts.serve(r):
			a.fail(w, r, &fault{code: codeMisdirected})
			return
		case a.sites.check(r) != nil:
			a.fail(w, r, &fault{code: codeCrossOrigin})
			return
		case !utf8.ValidString(r.URL.Path):
			a.fail(w, r, malformed("the path is not valid UTF-8"))
			return
		}
		limitArrival(w, r, a.bodyTimeout)
		routes.ServeHTTP(w, r)
	})
}

// panicked answers for a handler that could not, if nothing was sent yet.
func (a *api) panicked(w *recorder, r *http.Request, p any) {
	if p == http.ErrAbortHandler { //nolint:errorlint // a value of panic, compared as net/http does
		panic(p)
	}
	err := fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	if w.status != 0 {
		a.logger.ErrorContext(w.inTrace(r.Context()), "a request failed",
			"route", w.route, "correlation_id", requestID(r), "error", err)
		panic(http.ErrAbortHandler) // half an answer must not look whole
	}
	a.fail(w, r, err)
}
