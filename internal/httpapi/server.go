package httpapi

import (
	"context"
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
	shutdownTimeout   = 8 * time.Second // leaves two of the ten seconds a program has for the rest
)

// Serve answers requests until ctx ends. Then it takes no more, calls drain, which
// ends the streams, waits for what is under way, and cuts off what is left after
// 8 s, which is an error. It closes the listener.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, drain func(), logger *slog.Logger) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
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
