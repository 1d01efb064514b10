package httpapi

import (
	"net/http"

	"github.com/go-chi/chi/v5"
)

// Routes are all that a router of this configuration knows, as "METHOD /pattern";
// closed says which of them ask for a credential.
func Routes(c Config) (routes []string, closed map[string]bool, err error) {
	a, err := newAPI(c)
	if err != nil {
		return nil, nil, err
	}
	table := a.routes(c)
	closed = map[string]bool{}
	for _, rt := range table {
		closed[rt.method+" "+rt.pattern] = !rt.needs.anybody
	}
	err = chi.Walk(a.router(table), func(method, pattern string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if method != http.MethodHead { // goes with GET
			routes = append(routes, method+" "+constraint.ReplaceAllString(pattern, "{$1}"))
		}
		return nil
	})
	return routes, closed, err
}
