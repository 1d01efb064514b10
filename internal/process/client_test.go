package process

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// TestAPrivateAuthorityIsBelievedWhereItIsNamed, and nowhere else.
func TestAPrivateAuthorityIsBelievedWhereItIsNamed(t *testing.T) {
	t.Parallel()
	shown := make(chan string, 10)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown <- r.Header.Get("Authorization")
		_, _ = io.WriteString(w, `{"items":[]}`)
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of those who believe nobody
	server.StartTLS()
	t.Cleanup(server.Close)
	dir := t.TempDir()
	authority, token, text := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "token"), filepath.Join(dir, "text.pem")
	write(t, authority, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	write(t, token, "secret-token")
	write(t, text, "no certificate")
	for name, c := range map[string]struct{ file, says string }{
		"none is named":         {"", "certificate"},
		"the right one":         {authority, ""},
		"a file of other text":  {text, "--ca-file: " + text + " has no certificate in PEM"},
		"a file that is not":    {filepath.Join(dir, "none"), "--ca-file: open "},
		"a file of another one": {otherAuthority(t), "certificate"},
	} {
		f := ProjectionsFlags{TokenFlags: TokenFlags{CAFlags: CAFlags{CAFile: c.file}, TokenFile: token}, URL: server.URL}
		_, _, err := f.versions(t.Context())
		switch {
		case c.says == "" && err != nil:
			t.Errorf("%s: got %v, want none", name, err)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: got %v, want an error that says %q", name, err, c.says)
		}
		if unknown := (x509.UnknownAuthorityError{}); c.says == "certificate" && !errors.As(err, &unknown) {
			t.Errorf("%s: got %v, want that the authority is unknown", name, err)
		}
	}
	close(shown)
	for header := range shown {
		if header != "Bearer secret-token" {
			t.Errorf("got %q, want the token", header)
		}
	}
}

// otherAuthority is the file of one that has signed nothing here.
func otherAuthority(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	command := NodeCertificateCommand{Dir: dir, Hosts: []string{"localhost"}, Days: 1}
	if err := command.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "authority.pem")
}
