package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestATokenOfTheCommands is shown, from its file or the environment, and never
// printed; there is no flag for the token itself, which would be in the list of
// processes.
func TestATokenOfTheCommands(t *testing.T) {
	t.Parallel()
	const token = "eyJ0.fuer.niemand"
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		said := "who are you?"
		if r.Header.Get("Authorization") == "Bearer "+token {
			said = "the scope admin is missing"
		}
		_, _ = w.Write([]byte(`{"code":"forbidden","detail":"` + said + `"}`)) // the client notices
	}))
	t.Cleanup(api.Close)
	dir := t.TempDir()
	file, lines := filepath.Join(dir, "token"), filepath.Join(dir, "lines")
	for name, text := range map[string]string{file: token + "\n", lines: `{"at":"2026-01-01T00:00:00Z","op":"subscribe","user":"u","topic":"t"}` + "\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for rule, c := range map[string]struct {
		args, env string
		ended     int
		want      string
	}{
		"projections, from a file":            {args: "projections status --token-file " + file, ended: 1, want: "scope admin"},
		"projections, from the environment":   {args: "projections pause", env: "TIDINGS_TOKEN=" + token, ended: 1, want: "scope admin"},
		"import, from a file":                 {args: "import " + lines + " --token-file " + file, ended: 1, want: "scope admin"},
		"import, from the environment's file": {args: "import " + lines, env: "TIDINGS_TOKEN_FILE=" + file, ended: 1, want: "scope admin"},
		"import, without one":                 {args: "import " + lines, ended: 1, want: "who are you?"},
		"a token that cannot be one":          {args: "import " + lines, env: "TIDINGS_TOKEN=" + token + " " + token, ended: 1, want: "is no token"},
		"a token is no flag":                  {args: "import " + lines + " --token=x", ended: 2, want: "unknown flag --token"},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			cmd, said := program(t, append(strings.Fields(c.args), "--url", api.URL)...)
			if c.env != "" {
				cmd.Env = append(cmd.Env, c.env)
			}
			out, err := cmd.Output()
			if got := status(t, err); got != c.ended || !strings.Contains(said.String(), c.want) {
				t.Errorf("ended with %d, want %d, and said %s, want %q", got, c.ended, said, c.want)
			}
			if strings.Contains(said.String()+string(out), token) {
				t.Errorf("the token was printed: %s%s", out, said)
			}
		})
	}
}
