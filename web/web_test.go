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
