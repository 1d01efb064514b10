package httpapi

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"
)

// By TLS on a real network, as by the bubble's pipes in clear: whoever does not read
// is let go of.
func TestWhoeverDoesNotReadTLS(t *testing.T) {
	t.Parallel()
	const patience = 500 * time.Millisecond
	ended := make(chan error, 1)
	edge := edgeOf(t, Config{WriteTimeout: patience}, func(w http.ResponseWriter, _ *http.Request) {
		var err error
		for n := 0; n < 64 && err == nil; n++ { // far more than the network holds
			_, err = w.Write(large)
		}
		ended <- err
	})
	pair := ownPair(t)
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	encrypted := Encrypted(listener, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return pair, nil })
	go func() { served <- Serve(ctx, encrypted, edge, nil, slog.New(slog.DiscardHandler)) }()
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}}
	conn, err := dialer.DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: t\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err == nil {
			t.Error("all was written to who does not read")
		}
	case <-time.After(20 * patience):
		t.Error("the answer is still being written")
	}
	_ = conn.Close()
	stop()
	if err := <-served; err != nil {
		t.Errorf("the end: %v", err)
	}
}
