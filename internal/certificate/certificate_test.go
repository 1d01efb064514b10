package certificate_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidings-io/tidings/internal/certificate"
)

// files are those of one certificate.
type files struct{ dir, cert, key string }

func newFiles(t *testing.T) files {
	t.Helper()
	dir := t.TempDir()
	return files{dir: dir, cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem")}
}

// issue replaces both files by a certificate of this serial number.
func (f files) issue(t *testing.T, serial int64, until time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: until.Add(-24 * time.Hour), NotAfter: until,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	replace(t, f.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	replace(t, f.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// replace writes a file beside the one it then takes the place of.
func replace(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestCertificatesThatAreRefused(t *testing.T) {
	t.Parallel()
	own, other := newFiles(t), newFiles(t)
	own.issue(t, 2, time.Now().Add(time.Hour))
	other.issue(t, 2, time.Now().Add(time.Hour))
	none := filepath.Join(own.dir, "none")
	for name, c := range map[string]struct{ cert, key, says string }{
		"no certificate there":   {none, own.key, none},
		"no key there":           {own.cert, none, none},
		"mixed up":               {own.key, own.cert, own.key},
		"the key is another's":   {own.cert, other.key, "does not match"},
		"a directory":            {own.dir, own.key, own.dir},
		"the certificate is key": {own.cert, own.cert, own.cert},
	} {
		if _, err := certificate.Open(c.cert, c.key, nil); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want an error that says %q", name, err, c.says)
		}
	}
}

// TestACertificateIsReplaced: the next connection a second later sees the new one, and what is not in order changes nothing.
func TestACertificateIsReplaced(t *testing.T) {
	t.Parallel()
	f := newFiles(t)
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		f.issue(t, 2, time.Now().Add(time.Hour))
		c, err := certificate.Open(f.cert, f.key, slog.New(slog.NewTextHandler(&said, nil)))
		if err != nil {
			t.Fatal(err)
		}
		expect := func(what string, serial int64, says string) {
			t.Helper()
			time.Sleep(time.Second) // the bubble's time
			pair, err := c.Current(nil)
			if err != nil || pair.Leaf.SerialNumber.Int64() != serial {
				t.Errorf("%s: got serial number %s, %v, want %d", what, pair.Leaf.SerialNumber, err, serial)
			}
			if !strings.Contains(said.String(), says) {
				t.Errorf("%s: logged %q, want %q in it", what, said.String(), says)
			}
			said.Reset()
		}
		expect("as it was", 2, "")
		until := time.Now().Add(48 * time.Hour).Truncate(time.Second)
		f.issue(t, 3, until)
		expect("replaced", 3, "read again")
		if got := c.Expires(); !got.Equal(until) {
			t.Errorf("it expires at %s, want %s", got, until)
		}
		replace(t, f.key, []byte("this is no key"))
		expect("no key", 3, "the old one stays")
		f.issue(t, 4, time.Now().Add(-time.Minute))
		expect("expired", 4, "not valid now")
		f.issue(t, 5, time.Now().Add(time.Hour))
		if err := os.Chmod(f.key, 0o644); err != nil {
			t.Fatal(err)
		}
		expect("a key for everybody", 5, "chmod o-r")
	})
}
