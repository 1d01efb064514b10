package httpapi_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidings-io/tidings/internal/certificate"
	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/memory"
	"github.com/tidings-io/tidings/internal/httpapi"
	"github.com/tidings-io/tidings/internal/inbox"
	"github.com/tidings-io/tidings/internal/live"
)

// encrypted is the edge, served by TLS on a real address.
type encrypted struct {
	dir     string
	address string
	store   *memory.Store
	stop    context.CancelFunc
	ended   chan error
}

func serveTLS(t *testing.T) *encrypted {
	t.Helper()
	s := &encrypted{dir: t.TempDir(), store: &memory.Store{}, ended: make(chan error, 1)}
	s.issue(t, 2)
	shown, err := certificate.Open(s.file("cert"), s.file("key"), nil)
	if err != nil {
		t.Fatal(err)
	}
	hub := &live.Hub{
		Source: s.store, Start: func(context.Context) (events.Position, error) { return 0, nil },
		History: func(context.Context, inbox.Ask) (inbox.Snapshot, error) { return inbox.Snapshot{}, nil },
	}
	run(t, hub.Run)
	drained, drain := context.WithCancel(context.Background())
	handler, err := httpapi.New(httpapi.Config{
		Store: s.store, Log: s.store, Reads: away{}, Hub: hub, Stream: httpapi.StreamOptions{Drain: drained},
	})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = listener.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go func() {
		s.ended <- httpapi.Serve(ctx, httpapi.Encrypted(listener, shown.Current), handler, drain, slog.New(slog.DiscardHandler))
		close(s.ended)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-s.ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *encrypted) file(name string) string { return filepath.Join(s.dir, name+".pem") }

// issue replaces the certificate by one of this serial number.
func (s *encrypted) issue(t *testing.T, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"key": {Type: "PRIVATE KEY", Bytes: private}, "cert": {Type: "CERTIFICATE", Bytes: der}} {
		if err := os.WriteFile(s.file(name)+".new", pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(s.file(name)+".new", s.file(name)); err != nil {
			t.Fatal(err)
		}
	}
}

// client has connections of its own; the certificate is looked at by the test.
func client(t *testing.T, protocols ...string) *http.Client {
	t.Helper()
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true, NextProtos: protocols},
		ForceAttemptHTTP2: len(protocols) == 0,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func (s *encrypted) get(t *testing.T, c *http.Client, path string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+s.address+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

// shown is the serial number of the certificate that a new connection sees.
func (s *encrypted) shown(t *testing.T) int64 {
	t.Helper()
	response := s.get(t, client(t), "/livez")
	if response.StatusCode != http.StatusOK || response.ProtoMajor != 2 {
		t.Errorf("got %s %s, want 200 by HTTP/2", response.Proto, response.Status)
	}
	return response.TLS.PeerCertificates[0].SerialNumber.Int64()
}

// lines are those that a stream says.
func lines(response *http.Response) func(prefix string) bool {
	scanner := bufio.NewScanner(response.Body)
	return func(prefix string) bool {
		for scanner.Scan() {
			if strings.HasPrefix(scanner.Text(), prefix) {
				return true
			}
		}
		return false
	}
}

// TestTheCertificateIsReplaced while streams are open, which do not notice, and which are drained at the end.
func TestTheCertificateIsReplaced(t *testing.T) {
	t.Parallel()
	s := serveTLS(t)
	const path = "/v1/users/ann/inbox/stream"
	streams := map[string]func(string) bool{}
	for name, c := range map[string]*http.Client{"HTTP/2.0": client(t), "HTTP/1.1": client(t, "http/1.1")} {
		response := s.get(t, c, path)
		if response.Proto != name || response.Header.Get("Strict-Transport-Security") == "" {
			t.Errorf("got %s with headers %v, want %s and Strict-Transport-Security", response.Proto, response.Header, name)
		}
		if streams[name] = lines(response); !streams[name]("event: connected") {
			t.Errorf("%s: the stream ended before it began", name)
		}
	}
	if got := s.shown(t); got != 2 {
		t.Errorf("got serial number %d, want 2", got)
	}
	s.issue(t, 3)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for s.shown(t) != 3 { // the test's own deadline ends it
		<-tick.C
	}
	post(t, s, `{"to":["user:ann"],"title":"still here"}`)
	for name, says := range streams {
		if !says("event: message") {
			t.Errorf("%s: the stream ended, want what was published", name)
		}
	}
	s.stop()
	for name, says := range streams {
		if says("event: message") {
			t.Errorf("%s: the stream goes on after the end", name)
		}
	}
	select {
	case err := <-s.ended:
		if err != nil {
			t.Errorf("got %v, want an end without error", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the server does not end")
	}
}

func post(t *testing.T, s *encrypted, body string) {
	t.Helper()
	response, err := client(t).Post("https://"+s.address+"/v1/notifications", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		t.Fatalf("got %s, want 202", response.Status)
	}
}

// TestOtherWaysToCome: in clear one is told what is wrong, and old TLS is not spoken.
func TestOtherWaysToCome(t *testing.T) {
	t.Parallel()
	s := serveTLS(t)
	connection, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if _, err := io.WriteString(connection, "GET /livez HTTP/1.1\r\nHost: t\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(connection)
	if err != nil || !strings.HasPrefix(string(text), "HTTP/1.0 400 ") || !strings.Contains(string(text), "HTTPS") {
		t.Errorf("in clear: got %q, %v, want a 400 that names HTTPS", text, err)
	}
	for version, good := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		connection, err := tls.Dial("tcp", s.address, &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version})
		if (err == nil) != good {
			t.Errorf("%s: got %v, want that it is good: %t", tls.VersionName(version), err, good)
		}
		if err == nil {
			_ = connection.Close()
		}
	}
}
