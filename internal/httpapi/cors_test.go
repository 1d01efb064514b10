package httpapi

import (
	"net/http"
	"strings"
	"testing"
)

func TestParseOrigins(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                 "",
		"*":                                "*",
		"https://app.example.com":          "https://app.example.com",
		"HTTPS://App.Example.com":          "https://app.example.com",
		"http://localhost:3000, https://b": "http://localhost:3000 https://b",
		"https://app.example.com:443":      "https://app.example.com",
		"http://app.example.com:80":        "http://app.example.com",
		"https://app.example.com:80":       "https://app.example.com:80",
		"http://[::1]:3000":                "http://[::1]:3000",
		"*, https://app.example.com":       "error",
		"https://*.example.com":            "error",
		"https://app.example.com/":         "error",
		"https://app.example.com/path":     "error",
		"https://app.example.com?a=b":      "error",
		"https://app.example.com#a":        "error",
		"https://user@app.example.com":     "error",
		"app.example.com":                  "error",
		"//app.example.com":                "error",
		"https://":                         "error",
		"https://app.example.com:":         "error",
		"https://münchen.example":          "error",
		"ftp://app.example.com":            "error",
		"null":                             "error",
		"https://a b":                      "error",
	} {
		origins, err := ParseOrigins(text)
		got := strings.Join(origins, " ")
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: got %q (%v), want %q", text, got, err, want)
		}
	}
}

const app = "https://app.example.com"

// sharing is what an answer says of who may read it.
func sharing(answer *http.Response) string {
	h := answer.Header
	text := h.Get("Access-Control-Allow-Origin")
	if h.Get("Access-Control-Allow-Credentials") != "" {
		text += " with credentials"
	}
	return text
}

func TestWhoMayReadAnswers(t *testing.T) {
	t.Parallel()
	handlers := map[string]http.Handler{
		"nobody": whole(t, Config{}),
		"some":   whole(t, Config{Origins: []string{app, "http://localhost:3000"}}),
		"all":    whole(t, Config{Origins: []string{"*"}}),
	}
	credentials := app + " with credentials"
	tests := map[string]struct {
		origin string
		want   map[string]string
	}{
		"one that is configured":       {app, map[string]string{"nobody": "", "some": credentials, "all": "*"}},
		"one that is not":              {"https://evil.example", map[string]string{"nobody": "", "some": "", "all": "*"}},
		"one that begins like it":      {app + ".evil.example", map[string]string{"nobody": "", "some": "", "all": "*"}},
		"the same host by http":        {"http://app.example.com", map[string]string{"nobody": "", "some": "", "all": "*"}},
		"the same host, another port":  {app + ":8443", map[string]string{"nobody": "", "some": "", "all": "*"}},
		"a page that has none":         {"null", map[string]string{"nobody": "", "some": "", "all": "*"}},
		"what is configured, in parts": {"https://app", map[string]string{"nobody": "", "some": "", "all": "*"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for who, handler := range handlers {
				for path, status := range map[string]int{"/livez": 200, "/nowhere": 404, "/v1/topics?limit=x": 422, "/v1/topics": 500} {
					answer := call(handler, http.MethodGet, path, "Origin", test.origin)
					if got := sharing(answer); got != test.want[who] || answer.StatusCode != status {
						t.Errorf("%s: %s: got %d %q, want %d %q", who, path, answer.StatusCode, got, status, test.want[who])
					}
					exposed := answer.Header.Get("Access-Control-Expose-Headers")
					if strings.Contains(exposed, "Tidings-Position") != (test.want[who] != "") {
						t.Errorf("%s: %s: exposed %q", who, path, exposed)
					}
					if varies := strings.Contains(strings.Join(answer.Header.Values("Vary"), ","), "Origin"); varies != (who != "nobody") {
						t.Errorf("%s: %s: got Vary %q", who, path, answer.Header.Values("Vary"))
					}
				}
			}
		})
	}
}

// TestVaryKeepsTheOrigin where an answer also varies by something else.
func TestVaryKeepsTheOrigin(t *testing.T) {
	t.Parallel()
	handler := whole(t, Config{Origins: []string{app}})
	for path, other := range map[string]string{"/v1/audit/events": "Accept", "/docs/styles.min.css": "Accept-Encoding"} {
		if got := strings.Join(call(handler, http.MethodGet, path).Header.Values("Vary"), ","); got != "Origin,"+other {
			t.Errorf("%s: got Vary %q, want Origin and %s", path, got, other)
		}
	}
}

func TestPreflights(t *testing.T) {
	t.Parallel()
	some, all, nobody := whole(t, Config{Origins: []string{app}}), whole(t, Config{Origins: []string{"*"}}), whole(t, Config{})
	tests := map[string]struct {
		handler                 http.Handler
		origin, method, headers string
		want                    string
	}{
		"a command":                     {some, app, "POST", "authorization, content-type, idempotency-key, prefer", app + " with credentials"},
		"a stream that is resumed":      {some, app, "GET", "last-event-id", app + " with credentials"},
		"all other headers":             {some, app, "PATCH", "tidings-position, x-request-id, traceparent", app + " with credentials"},
		"every method there is":         {some, app, "DELETE", "", app + " with credentials"},
		"a header nobody needs":         {some, app, "POST", "x-evil", ""},
		"a method nobody has":           {some, app, "BREW", "", ""},
		"a site that is not let in":     {some, "https://evil.example", "POST", "content-type", ""},
		"all sites, no credentials":     {all, "https://evil.example", "POST", "content-type", "*"},
		"nobody: there is no preflight": {nobody, app, "POST", "content-type", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			headers := []string{"Origin", test.origin, "Access-Control-Request-Method", test.method}
			if test.headers != "" {
				headers = append(headers, "Access-Control-Request-Headers", test.headers)
			}
			answer := call(test.handler, http.MethodOptions, "/v1/notifications", headers...)
			if got := sharing(answer); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if test.want == "" {
				for header := range answer.Header {
					if strings.HasPrefix(header, "Access-Control-") {
						t.Errorf("got %s, want none of them", header)
					}
				}
				return
			}
			if got := answer.Header.Get("Access-Control-Max-Age"); got != "600" {
				t.Errorf("got max age %q, want 600", got)
			}
			if got := answer.Header.Get("Access-Control-Allow-Methods"); got != test.method {
				t.Errorf("got methods %q, want %q", got, test.method)
			}
		})
	}
}

// TestWhoMayChangeThings through somebody's browser.
func TestWhoMayChangeThings(t *testing.T) {
	t.Parallel()
	handlers := map[string]http.Handler{
		"nobody": whole(t, Config{}), "some": whole(t, Config{Origins: []string{app}}), "all": whole(t, Config{Origins: []string{"*"}}),
	}
	fromApp, fromEvil := []string{"Sec-Fetch-Site", "cross-site", "Origin", app}, []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}
	old := []string{"Origin", "https://evil.example"} // a browser of before 2023
	cookie := []string{"Cookie", "tidings_token=x"}
	for name, test := range map[string]struct {
		who     string
		headers []string
		let     bool
	}{
		"no browser":                              {"nobody", nil, true},
		"a site, nobody is let in":                {"nobody", fromApp, false},
		"a site that is let in":                   {"some", fromApp, true},
		"a site that is let in, with its cookie":  {"some", append(fromApp, cookie...), true},
		"a site that is not":                      {"some", fromEvil, false},
		"a site that is not, in an old browser":   {"some", old, false},
		"all are let in":                          {"all", fromEvil, true},
		"all are let in, in an old browser":       {"all", old, true},
		"all are let in, but not with a cookie":   {"all", append(fromEvil, cookie...), false},
		"nor in an old browser":                   {"all", append(old, cookie...), false},
		"one's own page, with a cookie":           {"all", append([]string{"Sec-Fetch-Site", "same-origin"}, cookie...), true},
		"a cookie without any browser":            {"all", cookie, true},
		"a site that is let in calls itself else": {"some", []string{"Sec-Fetch-Site", "cross-site"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := http.StatusForbidden
			if test.let {
				want = http.StatusOK
			}
			answer := call(handlers[test.who], http.MethodDelete, "/v1/users/a/subscriptions/b", test.headers...)
			if answer.StatusCode != want {
				t.Errorf("got %s, want %d", answer.Status, want)
			}
		})
	}
}

func TestOriginsAreCheckedAtTheStart(t *testing.T) {
	t.Parallel()
	_, c := alone(t)
	c.Origins = []string{"https://app.example.com/path"}
	if _, err := New(c); err == nil {
		t.Error("got no error, want one for an origin with a path")
	}
}
