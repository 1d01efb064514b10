package esdb_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/tidings-io/tidings/internal/eventstore/esdb"
)

// TestNoErrorTellsAPassword, nor any part of it, however the connection string is broken: what stands where it may be
// a password is not repeated, and the error says how to write one.
func TestNoErrorTellsAPassword(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{
		"a slash in it":                 "esdb://alice:hush/hush@localhost:2113",
		"a slash after digits":          "esdb://alice:4711/hush@localhost:2113",
		"a question mark after digits":  "esdb://alice:4711?tls=hush@localhost:2113",
		"a number sign":                 "esdb://alice:hush#hush@localhost:2113",
		"a number sign after digits":    "esdb://alice:4711#hush@localhost:2113",
		"a percent sign":                "esdb://alice:%hush@localhost:2113",
		"a control character":           "esdb://alice:hush\x7f@localhost:2113",
		"a space":                       "esdb://alice:hush hush@localhost:2113",
		"a comma and several hosts":     "esdb://alice:hush,hush@localhost:2113,localhost",
		"an at sign and a slash":        "esdb://alice:hu@sh/hush@localhost:2113",
		"digits, comma, several hosts":  "esdb://alice:4711,hush@localhost:2113,localhost",
		"brackets":                      "esdb://alice:[hush]@localhost:2113",
		"no name":                       "esdb://:hush@localhost:2113",
		"a colon too many in the host":  "esdb://alice:hush@localhost:21:13",
		"no port number":                "esdb://alice:hush@localhost:port",
		"another scheme":                "http://alice:hush@localhost:2113",
		"no scheme":                     "alice:hush@localhost:2113",
		"a slash, the newer scheme":     "kurrentdb+discover://alice:hush/hush@localhost:2113",
		"a certificate that is missing": "esdb://alice:hush@localhost:2113?tlsCaFile=/none/a@b",
		"half a certificate":            "esdb://alice:hush@localhost:2113?userCertFile=x",
	} {
		var logged bytes.Buffer
		store, err := esdb.Open(url, esdb.Options{Logger: slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		if err == nil {
			store.Close()
			t.Errorf("%s: %q was taken", name, url)
			continue
		}
		for _, secret := range []string{"hush", "ush", "4711"} {
			if strings.Contains(err.Error(), secret) || strings.Contains(logged.String(), secret) {
				t.Errorf("%s: %q is told: %v\n%s", name, secret, err, logged.String())
			}
		}
	}
}

// TestErrorsThatCanBeToldAreTold: what is wrong is named where no password can be.
func TestErrorsThatCanBeToldAreTold(t *testing.T) {
	t.Parallel()
	for url, says := range map[string]string{
		"esdb://localhost:port":                                   "port",
		"esdb://localhost/path":                                   "path",
		"esdb://alice:hush@localhost?tls=perhaps":                 "tls",
		"esdb://alice:hush@localhost?tlsCaFile=/none/ca.pem":      "/none/ca.pem",
		"esdb://alice:hush@localhost?tlsCaFile=/none/who@what.de": "/none/who@what.de",
		"esdb://alice:a/b@localhost":                              "%2F",
		"esdb://alice:50%@localhost":                              "%25",
	} {
		_, err := esdb.Open(url, esdb.Options{})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want an error that says %q", url, err, says)
		}
	}
}
