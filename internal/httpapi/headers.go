package httpapi

import "net/http"

// closedPolicy is for answers that are no page: should one be shown as a page, it
// loads and runs nothing and is in nobody's frame. Pages set their own.
const closedPolicy = "default-src 'none'; frame-ancestors 'none'"

// httpsOnly is told to whoever came by TLS: come by nothing else for a year.
const httpsOnly = "max-age=31536000"

// secure sets the headers that keep browsers from harm, on every answer.
func secure(h http.Header, r *http.Request) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Content-Security-Policy", closedPolicy)
	if r.TLS != nil {
		h.Set("Strict-Transport-Security", httpsOnly)
	}
}
