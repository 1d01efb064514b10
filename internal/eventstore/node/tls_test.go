package node_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings-io/tidings/internal/certificate"
	"github.com/tidings-io/tidings/internal/eventstore/node"
	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// authority signs certificates for the nodes of one test.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir(), key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	replace(t, a.file(), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return a
}

// file is where clients find the authority.
func (a *authority) file() string { return filepath.Join(a.dir, "ca.pem") }

func (a *authority) certFile() string { return filepath.Join(a.dir, "node.pem") }

func (a *authority) keyFile() string { return filepath.Join(a.dir, "node.key") }

// issue replaces the node's certificate by one for localhost with this serial number, and its key.
func (a *authority) issue(t *testing.T, serial int64, until time.Time) {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	replace(t, a.keyFile(), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	replace(t, a.certFile(), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
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

// guarded is a node that speaks TLS and asks who calls, if it has users.
type guarded struct {
	*authority

	port   string
	users  string // the file
	logged *said
	gather *prometheus.Registry
	log    *eventlog.Log
}

// guard starts a node whose users file has these lines; none: it has no users.
func guard(t *testing.T, users ...string) *guarded {
	t.Helper()
	g := &guarded{authority: newAuthority(t), logged: &said{}}
	g.issue(t, 2, time.Now().Add(time.Hour))
	logger := slog.New(slog.NewTextHandler(g.logged, nil))
	shown, err := certificate.Open(g.certFile(), g.keyFile(), logger)
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewPedanticRegistry()
	options := node.Options{Logger: logger, Registerer: registry, Certificate: shown}
	if len(users) > 0 {
		g.users = filepath.Join(g.dir, "users")
		replace(t, g.users, []byte(strings.Join(users, "\n")))
		if options.Users, err = node.OpenUsers(g.users, logger); err != nil {
			t.Fatal(err)
		}
	}
	if g.log, err = eventlog.Open("store", eventlog.Options{FS: vfs.NewMem()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.log.Close(); err != nil {
			t.Error(err)
		}
	})
	g.gather = registry
	g.port = listenAndServe(t, node.New(g.log, options))
	return g
}

// listenAndServe answers the port.
func listenAndServe(t *testing.T, served *node.Node) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- served.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// url is how the official client is told; who is "" or "user:password".
func (g *guarded) url(who string) string {
	if who != "" {
		who += "@"
	}
	return fmt.Sprintf("esdb://%slocalhost:%s?tls=true&maxDiscoverAttempts=2&tlsCaFile=%s", who, g.port, g.file())
}

// shown is the serial number of the certificate that a new connection sees.
func (g *guarded) shown(t *testing.T) int64 {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(g.cert)
	connection, err := tls.Dial("tcp", "localhost:"+g.port, &tls.Config{RootCAs: roots, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if got := connection.ConnectionState().NegotiatedProtocol; got != "h2" {
		t.Errorf("got protocol %q, want h2", got)
	}
	return connection.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// eventually asks until the answer is yes.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline, tick := time.After(patience), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not after %s", what, patience)
		}
	}
}

func TestTLSWithoutUsersAsksNobody(t *testing.T) {
	t.Parallel()
	g := guard(t)
	for _, who := range []string{"", "anybody:at-all"} {
		for _, scheme := range []string{"esdb://", "esdb+discover://"} {
			client := connect(t, scheme+strings.TrimPrefix(g.url(who), "esdb://"))
			if _, err := client.AppendToStream(t.Context(), "a", esdb.AppendToStreamOptions{}, proposal("x")); err != nil {
				t.Errorf("%s as %q: %v", scheme, who, err)
			}
		}
	}
}

// TestTheOtherEndSpeaksOtherwise: whoever mixes up tls=true and tls=false is told soon, and why.
func TestTheOtherEndSpeaksOtherwise(t *testing.T) {
	t.Parallel()
	g, plain := guard(t), start(t)
	for name, c := range map[string]struct{ url, says string }{
		"in clear to a TLS port":         {"esdb://localhost:" + g.port + "?tls=false&maxDiscoverAttempts=2", "error reading server preface"},
		"TLS to a port in clear":         {"esdb://" + plain.address() + "?tls=true&maxDiscoverAttempts=2", "first record does not look like a TLS handshake"},
		"TLS with an unknown authority":  {"esdb://localhost:" + g.port + "?tls=true&maxDiscoverAttempts=2", "certificate signed by unknown authority"},
		"TLS to a name it does not have": {strings.Replace(g.url(""), "localhost", "127.0.0.1", 1), "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := connect(t, c.url)
			began := time.Now()
			_, err := client.AppendToStream(t.Context(), "a", esdb.AppendToStreamOptions{}, proposal("x"))
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want an error that says %q", err, c.says)
			}
			if took := time.Since(began); took > patience/2 {
				t.Errorf("it took %s to say so", took)
			}
		})
	}
	t.Cleanup(func() { // when all of them are done
		if text := g.logged.String(); !strings.Contains(text, "must say tls=true") || strings.Count(text, "\n") != 1 {
			t.Errorf("logged %q, want one line on who came without TLS", text)
		}
	})
}

func TestOldTLSIsRefused(t *testing.T) {
	t.Parallel()
	g := guard(t)
	roots := x509.NewCertPool()
	roots.AddCert(g.cert)
	for version, good := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		connection, err := tls.Dial("tcp", "localhost:"+g.port, &tls.Config{
			RootCAs: roots, NextProtos: []string{"h2"}, MinVersion: version, MaxVersion: version,
		})
		if (err == nil) != good {
			t.Errorf("%s: got %v, want that it is good: %t", tls.VersionName(version), err, good)
		}
		if err == nil {
			_ = connection.Close()
		}
	}
}

// TestTheCertificateIsReplaced while a subscription is open, which does not notice.
func TestTheCertificateIsReplaced(t *testing.T) {
	t.Parallel()
	g := guard(t)
	client := connect(t, g.url(""))
	follow := subscribe(t, client)
	if got := g.shown(t); got != 2 {
		t.Fatalf("got serial number %d, want 2", got)
	}
	g.issue(t, 3, time.Now().Add(time.Hour))
	eventually(t, "the new certificate is shown", func() bool { return g.shown(t) == 3 })

	replace(t, g.keyFile(), []byte("this is no key"))
	eventually(t, "what is wrong is logged", func() bool {
		return g.shown(t) == 3 && strings.Contains(g.logged.String(), "the old one stays")
	})
	if err := os.Remove(g.certFile()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what is gone is logged", func() bool {
		return g.shown(t) == 3 && strings.Contains(g.logged.String(), "no such file")
	})
	g.issue(t, 4, time.Now().Add(time.Hour))
	eventually(t, "a certificate in order is shown again", func() bool { return g.shown(t) == 4 })

	if _, err := connect(t, g.url("")).AppendToStream(t.Context(), "s", esdb.AppendToStreamOptions{}, proposal("last")); err != nil {
		t.Fatal(err)
	}
	if got := follow(); got != "last" {
		t.Errorf("the open subscription got %q, want the event appended last", got)
	}
}

func TestAnExpiredCertificate(t *testing.T) {
	t.Parallel()
	g := guard(t)
	end := time.Now().Add(-time.Minute)
	g.issue(t, 5, end)
	eventually(t, "it is logged", func() bool {
		_, _ = tls.Dial("tcp", "localhost:"+g.port, &tls.Config{RootCAs: x509.NewCertPool(), NextProtos: []string{"h2"}})
		return strings.Contains(g.logged.String(), "not valid now")
	})
	_, err := connect(t, g.url("")).AppendToStream(t.Context(), "s", esdb.AppendToStreamOptions{}, proposal("x"))
	if err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("got %v, want that the certificate has expired", err)
	}
	if got := gather(t, g.gather)["tidings_node_certificate_expiry_seconds"]; got != float64(end.Unix()) {
		t.Errorf("the metric says %v, want %d", got, end.Unix())
	}
}

// subscribe follows all user streams from now on; what it answers waits for the next event and answers its type.
func subscribe(t *testing.T, client *esdb.Client) func() string {
	t.Helper()
	subscription, err := client.SubscribeToAll(t.Context(), esdb.SubscribeToAllOptions{
		From: esdb.End{}, Filter: esdb.ExcludeSystemEventsFilter(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = subscription.Close() })
	return func() string {
		defer patiently(func() { _ = subscription.Close() }).Stop()
		for {
			event := subscription.Recv()
			switch {
			case event.EventAppeared != nil:
				return event.EventAppeared.Event.EventType
			case event.SubscriptionDropped != nil:
				t.Fatalf("the subscription ended: %v", event.SubscriptionDropped.Error)
			}
		}
	}
}
