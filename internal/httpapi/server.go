package httpapi

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
	silentPeer        = 30 * time.Second // an HTTP/2 client that sends nothing for so long is asked whether it is there
	deadPeer          = 15 * time.Second // and has this long to answer
	shutdownTimeout   = 8 * time.Second  // leaves two of the ten seconds a program has for the rest
)

// Encrypted takes connections by TLS 1.2 or later, HTTP/2 among them. The certificate
// is asked for with each new connection, so that it may change meanwhile.
func Encrypted(listener net.Listener, certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) net.Listener {
	return tls.NewListener(listener, &tls.Config{
		MinVersion: tls.VersionTLS12, GetCertificate: certificate, NextProtos: []string{"h2", "http/1.1"},
	})
}

// Serve answers requests until ctx ends. Then it takes no more, calls drain, which
// ends the streams, waits for what is under way, and cuts off what is left after
// 8 s, which is an error. It closes the listener.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, drain func(), logger *slog.Logger) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		HTTP2:             &http.HTTP2Config{WriteByteTimeout: writeTimeout, SendPingTimeout: silentPeer, PingTimeout: deadPeer},
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug), // mostly clients that left
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	err := shutdown(ctx, server, drain)
	_ = <-failed // that it was shut down
	return err
}

func shutdown(ctx context.Context, server *http.Server, drain func()) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if drain != nil {
		server.RegisterOnShutdown(drain)
	}
	err := server.Shutdown(ctx)
	if err != nil {
		return fmt.Errorf("end the HTTP server within %s: %w", shutdownTimeout, errors.Join(err, server.Close()))
	}
	return nil
}
