package httpapi

import (
	"context"
	"net/http"
	"sync"
	"time"
)

const (
	// Requests that read much of the log or of an inbox run so many at once: about as
	// many as the store and the database answer without making everybody else wait.
	maxLooks, maxLooksEach = 16, 4
	// maxExports are whole ranges of the log being sent, which take minutes.
	maxExports, maxExportsEach = 8, 2
	// maxFollows are streams of the audit trail: each is a subscription of the store,
	// which may have to read all of the log for it, and holds about a megabyte. Auditors
	// are few; whoever shows the log to many reads it once.
	maxFollows, maxFollowsEach = 32, 8
	// gateWait is how long a request waits for its turn.
	gateWait = 2 * time.Second
)

// gate lets a number of requests through at once, of each subject fewer, so that
// nobody keeps all others out.
type gate struct {
	most, each int

	mu    sync.Mutex
	all   int
	of    map[string]int
	freed chan struct{} // closed, and replaced, when one is through
}

func newGate(most, each int) *gate {
	return &gate{most: most, each: each, of: map[string]int{}, freed: make(chan struct{})}
}

// enter waits for a place, a little while; leave must be called where the error is
// nil.
func (g *gate) enter(ctx context.Context, subject string) (leave func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, gateWait)
	defer cancel()
	for {
		freed, ok := g.try(subject)
		if ok {
			return func() { g.leave(subject) }, nil
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, &fault{
				code: codeRateLimited, retryAfter: gateWait,
				detail: "too many requests that read much are under way: try again in a moment",
			}
		}
	}
}

func (g *gate) try(subject string) (freed <-chan struct{}, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.all >= g.most || g.of[subject] >= g.each {
		return g.freed, false
	}
	g.all++
	g.of[subject]++
	return nil, true
}

func (g *gate) leave(subject string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all--
	if g.of[subject]--; g.of[subject] == 0 {
		delete(g.of, subject)
	}
	close(g.freed)
	g.freed = make(chan struct{})
}

// costly makes an endpoint wait for its turn, where the request is one that reads
// much.
func (a *api) costly(is func(*http.Request) bool, serve endpoint) endpoint {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !is(r) {
			return serve(w, r)
		}
		leave, err := a.looks.enter(r.Context(), subject(r))
		if err != nil {
			return err
		}
		defer leave()
		return serve(w, r)
	}
}

func always(*http.Request) bool { return true }

// past says whether a request asks for the past, which may have to be read from the
// log.
func past(r *http.Request) bool { return r.URL.Query().Has("as_of") }
