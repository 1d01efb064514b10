package esdb_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/tidings-io/tidings/internal/certificate"
	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/esdb"
	"github.com/tidings-io/tidings/internal/eventstore/node"
	"github.com/tidings-io/tidings/internal/eventstore/storetest"
)

// TestEmbeddedNodeWithTLSAndUsers runs the suite on the embedded node as a user, over TLS.
func TestEmbeddedNodeWithTLSAndUsers(t *testing.T) {
	t.Parallel()
	store := open(t, startGuarded(t).as("alice:p%2Fw@"), esdb.Options{})
	storetest.Run(t, func(*testing.T) storetest.Store { return store })
}

// TestWhyTheStoreIsAway: whoever has a wrong connection string is told what is wrong with it, and not the password.
func TestWhyTheStoreIsAway(t *testing.T) {
	t.Parallel()
	guarded, plain := startGuarded(t), startServer(t)
	for name, c := range map[string]struct{ url, says string }{
		"a wrong password":               {guarded.as("alice:hush@"), "name or the password is wrong"},
		"an unknown user":                {guarded.as("hush:hush@"), "name or the password is wrong"},
		"nobody":                         {guarded.as(""), "or there is none"},
		"in clear to TLS":                {"esdb://" + guarded.address + "?tls=false", "tls=true"},
		"TLS to what is in clear":        {"esdb://" + plain.address + "?tls=true", "tls=false"},
		"a certificate of who knows who": {"esdb://" + guarded.address + "?tls=true", "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := open(t, c.url, esdb.Options{})
			// On a busy machine the first connection may not have come to anything yet.
			var err error
			for late := time.Now().Add(30 * time.Second); time.Now().Before(late); {
				_, err = store.Append(t.Context(), "s-1", events.Any(), proposed(1))
				if err == nil || !strings.Contains(err.Error(), "no connection has been made yet") {
					break
				}
			}
			if !errors.Is(err, events.ErrStoreUnavailable) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hush") {
				t.Errorf("got %v, want that it is unavailable, and %q", err, c.says)
			}
		})
	}
}

// guarded is a server that speaks TLS and lets alice in.
type guarded struct {
	*server

	authority string // its certificate's file
}

func (g *guarded) as(who string) string {
	_, port, _ := strings.Cut(g.address, ":")
	return fmt.Sprintf("esdb://%slocalhost:%s?tls=true&tlsCaFile=%s", who, port, g.authority)
}

func startGuarded(t *testing.T) *guarded {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, text []byte) string {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	cert, key := selfSigned(t)
	certFile, keyFile := write("cert.pem", cert), write("key.pem", key)
	hash, err := bcrypt.GenerateFromPassword([]byte("p/w"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	var options node.Options
	if options.Certificate, err = certificate.Open(certFile, keyFile, nil); err != nil {
		t.Fatal(err)
	}
	if options.Users, err = node.OpenUsers(write("users", append([]byte("alice:"), hash...)), nil); err != nil {
		t.Fatal(err)
	}
	return &guarded{server: startServerWith(t, options), authority: certFile}
}

// selfSigned is a certificate for localhost that is its own authority, and its key.
func selfSigned(t *testing.T) (cert, key []byte) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, secret.Public(), secret)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
}
