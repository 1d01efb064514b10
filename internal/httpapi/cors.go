package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/cors"
)

// anyOrigin lets pages of every site in, without cookies.
const anyOrigin = "*"

// preflightAge is how long a browser may go by what it was told; more than two hours
// no browser accepts, and less than minutes doubles the requests.
const preflightAge = 10 * time.Minute

// ParseOrigins reads origins separated by commas, as browsers send them:
// scheme://host[:port], or * alone for all.
func ParseOrigins(list string) ([]string, error) {
	var origins []string
	for text := range strings.SplitSeq(list, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		origin, err := parseOrigin(text)
		if err != nil {
			return nil, fmt.Errorf("origin %q: %w", text, err)
		}
		origins = append(origins, origin)
	}
	if slices.Contains(origins, anyOrigin) && len(origins) > 1 {
		return nil, errors.New("origins: * means all of them, and stands alone")
	}
	return origins, nil
}

func parseOrigin(text string) (string, error) {
	if text == anyOrigin {
		return text, nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", errors.New("it is not scheme://host[:port], such as https://app.example.com")
	}
	host := u.Hostname()
	origin := strings.ToLower(u.Scheme + "://" + u.Host)
	switch {
	case u.Scheme != "http" && u.Scheme != "https", host == "", strings.Contains(host, "*"), strings.HasSuffix(u.Host, ":"):
		return "", errors.New("it is not scheme://host[:port], such as https://app.example.com")
	case !strings.EqualFold(origin, text):
		return "", errors.New("an origin is scheme://host[:port] and nothing else, not even a slash at its end")
	case strings.ContainsFunc(host, func(r rune) bool { return r > '~' || r <= ' ' }):
		return "", errors.New("browsers send a name that is not ASCII in its xn-- form: write that")
	case u.Scheme == "http" && u.Port() == "80", u.Scheme == "https" && u.Port() == "443":
		origin = strings.TrimSuffix(origin, ":"+u.Port()) // browsers leave it out
	}
	return origin, nil
}

// sites are the other sites whose pages may use the API, and what keeps all others
// from it. A browser lets a page read an answer only when the answer names its site
// (CORS); what changes something is refused before that, unless it comes from one
// of them.
type sites struct {
	any     bool
	trusted *http.CrossOriginProtection // nil: nobody
	share   *cors.Cors                  // nil: with nobody
}

// stranger refuses every other site.
var stranger = http.NewCrossOriginProtection()

func newSites(origins []string) (sites, error) {
	if len(origins) == 0 {
		return sites{}, nil
	}
	s := sites{any: slices.Contains(origins, anyOrigin)}
	if !s.any {
		s.trusted = http.NewCrossOriginProtection()
		for _, origin := range origins {
			if err := s.trusted.AddTrustedOrigin(origin); err != nil {
				return s, fmt.Errorf("trust the origin %q: %w", origin, err)
			}
		}
	}
	s.share = cors.New(cors.Options{
		AllowedOrigins: origins,
		AllowedMethods: []string{
			http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		},
		AllowedHeaders: []string{
			"Authorization", "Content-Type", "Idempotency-Key", "Prefer", "Last-Event-ID", "Tidings-Position", "X-Request-Id", "Traceparent",
		},
		ExposedHeaders: []string{
			"Tidings-Position", "Preference-Applied", "Idempotency-Replayed", "X-Request-Id", "Retry-After",
			"RateLimit", "RateLimit-Policy", "WWW-Authenticate",
		},
		AllowCredentials: !s.any,
		MaxAge:           int(preflightAge.Seconds()),
	})
	return s, nil
}

// handler tells browsers which pages may read the answers of next, errors included,
// and answers itself what they ask beforehand.
func (s sites) handler(next http.Handler) http.Handler {
	if s.share == nil {
		return next
	}
	return s.share.Handler(next)
}

// check refuses what a page of another site would change. Where all sites are let in,
// that is only what the browser adds a cookie to: the page did not log in with it.
func (s sites) check(r *http.Request) error {
	switch {
	case s.any && r.Header.Get("Cookie") == "":
		return nil
	case s.trusted == nil:
		return stranger.Check(r)
	default:
		return s.trusted.Check(r)
	}
}
