package process

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

const secretToken = "eyJ0.fuer.niemand"

func TestATokenIsReadFromItsFile(t *testing.T) {
	t.Parallel()
	for rule, c := range map[string]struct{ text, want, wrong string }{
		"white space around it is no part of it": {text: " \n" + secretToken + "\r\n", want: secretToken},
		"a file without one is a mistake":        {text: " \n", wrong: "holds no token"},
		"two lines are no token":                 {text: secretToken + "\n" + secretToken, wrong: "is no token"},
		"other bytes are no token":               {text: secretToken + "\x00é", wrong: "is no token"},
		"too much is no token":                   {text: strings.Repeat(secretToken, 1000), wrong: "is no token"},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			got, err := TokenFlags{TokenFile: tokenFile(t, c.text)}.Token()
			if got != c.want || (err == nil) != (c.wrong == "") {
				t.Fatalf("got %q, %v, want %q, %q", got, err, c.want, c.wrong)
			}
			if err != nil && (!strings.Contains(err.Error(), c.wrong) || strings.Contains(err.Error(), secretToken)) {
				t.Errorf("got %v, want %q and not the token", err, c.wrong)
			}
		})
	}
	if _, err := (TokenFlags{TokenFile: filepath.Join(t.TempDir(), "none")}).Token(); err == nil {
		t.Error("a file that is not there was read")
	}
}

func TestATokenIsReadFromTheEnvironment(t *testing.T) {
	t.Setenv("TIDINGS_TOKEN", "")
	if got, err := (TokenFlags{}).Token(); got != "" || err != nil {
		t.Errorf("got %q, %v of an empty one, want none", got, err)
	}
	t.Setenv("TIDINGS_TOKEN", secretToken)
	if got, err := (TokenFlags{}).Token(); got != secretToken || err != nil {
		t.Errorf("got %q, %v, want the environment's", got, err)
	}
	if got, err := (TokenFlags{TokenFile: tokenFile(t, "of.the.file")}).Token(); got != "of.the.file" || err != nil {
		t.Errorf("got %q, %v, want the file's", got, err)
	}
	t.Setenv("TIDINGS_TOKEN", "a b")
	if got, err := (TokenFlags{}).Token(); err == nil || strings.Contains(err.Error(), "a b") {
		t.Errorf("got %q, %v, want an error that does not repeat it", got, err)
	}
}

// TestATokenIsShownToTheAPIAlone and not to whom the API redirects to.
func TestATokenIsShownToTheAPIAlone(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer other.Close()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer "+secretToken:
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"code":"unauthorized","detail":"a token is needed"}`)) // the client notices
		case r.Method == http.MethodDelete:
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		default:
			_, _ = w.Write([]byte(`{"items":[]}`)) // the client notices
		}
	}))
	defer api.Close()
	with := ProjectionsFlags{URL: api.URL, TokenFlags: TokenFlags{TokenFile: tokenFile(t, secretToken)}}
	if _, _, err := with.versions(t.Context()); err != nil {
		t.Errorf("with a token: %v", err)
	}
	without := ProjectionsFlags{URL: api.URL, TokenFlags: TokenFlags{TokenFile: tokenFile(t, "another")}}
	if _, _, err := without.versions(t.Context()); err == nil || err.Error() != "unauthorized: a token is needed" {
		t.Errorf("with another: %v, want the server's words", err)
	}
	if _, err := with.ask(t.Context(), http.MethodDelete, "", nil); err == nil || asked.Load() > 0 {
		t.Errorf("redirected: %v, and the other was asked %d times", err, asked.Load())
	}
}

func tokenFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
