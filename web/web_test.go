package web

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func TestThePageIsWhole(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	Console().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	policy := w.Header().Get("Content-Security-Policy")
	if got := w.Body.String(); !strings.Contains(got, "<title>Tidings</title>") {
		t.Errorf("served %d bytes without the title", len(got))
	}
	// The policy names one script and one style by their hashes: a second of either would be dead.
	for _, element := range []string{"script", "style"} {
		if n := strings.Count(page, "<"+element); n != 1 {
			t.Errorf("the page has %d %s elements, want 1", n, element)
		}
		if hash(element) == hash("nothing-of-this-name") || !strings.Contains(policy, element+"-src '"+hash(element)+"'") {
			t.Errorf("the policy does not name the page's %s: %s", element, policy)
		}
	}
	for _, danger := range []string{`\son[a-z]+=`, `style="`, `innerHTML`, `(src|href)="https?:`, `unsafe-`} {
		if found := regexp.MustCompile(danger).FindString(page + policy); found != "" {
			t.Errorf("the page or its policy has %q", found)
		}
	}
}

// What a token may do in the page: be typed unseen, be kept for its tab, be sent as a
// header, and be in a cookie that no other site's request carries and that ends soon.
func TestATokenStaysInThePage(t *testing.T) {
	t.Parallel()
	for rule, text := range map[string]string{
		"it is typed unseen, and not remembered":   `<input id="token" type="password" autocomplete="off"`,
		"the field is hidden until it is needed":   `<span id="access" hidden>`,
		"it is kept as long as its tab":            `sessionStorage.setItem("tidings_token", token)`,
		"it is sent as a header":                   `Authorization: "Bearer " + shown`,
		"the stream's cookie is for this site":     `Path=/; SameSite=Strict; Max-Age=${seconds}${location.protocol === "https:" ? "; Secure" : ""}`,
		"the cookie goes with the token":           `if (token) carry("", 0);`,
		"a refused stream is not waited for":       `source.readyState === EventSource.CLOSED`,
		"what is no token never reaches a header":  `throw new Error("that is no token")`,
		"a refusal is shown in the server's words": `if (answer.status === 401 && shown === token) refused(error.message);`,
	} {
		if !strings.Contains(page, text) {
			t.Errorf("%s: the page has no %s", rule, text)
		}
	}
	for _, danger := range []string{"localStorage", "access_token", "console.", "indexedDB", `\?[^"` + "`" + `]*\$\{token`} {
		if found := regexp.MustCompile(danger).FindString(page); found != "" {
			t.Errorf("the page has %q, where a token would stay or be seen", found)
		}
	}
}
