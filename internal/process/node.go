package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/tidings-io/tidings/internal/certificate"
	"github.com/tidings-io/tidings/internal/eventstore/node"
	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
	"github.com/tidings-io/tidings/internal/httpapi"
)

// Node is the embedded event store.
type Node struct {
	Dir         string
	Log         eventlog.Options         // but for its Logger
	Certificate *certificate.Certificate // nil: no TLS
	Users       *node.Users              // nil: everybody may call
	Logger      *slog.Logger
	Registerer  prometheus.Registerer
	Monitor     net.Listener        // serves health and metrics, to everybody; nil: nothing does
	Gatherer    prometheus.Gatherer // what Monitor shows
}

// Run opens the log in Dir and serves it on the listener until ctx ends. Opened,
// if not nil, is called when the log is open.
func (n Node) Run(ctx context.Context, listener net.Listener, opened func()) error {
	options := n.Log
	options.Logger = n.Logger
	log, err := eventlog.Open(n.Dir, options)
	if err != nil {
		var lost *eventlog.Lost
		switch {
		case errors.Is(err, eventlog.ErrInUse):
			err = fmt.Errorf("%w: is another tidings, or one of its commands, running on the same data?", err)
		case errors.Is(err, syscall.ENOSPC):
			err = fmt.Errorf("%w: a start needs room to write: make some, and start again", err)
		case errors.As(err, &lost):
			err = fmt.Errorf("%w (tidings node restore, or tidings node --accept-loss once)", err)
		}
		return errors.Join(err, listener.Close(), n.closeMonitor())
	}
	socket, err := listenControl(ctx, n.Dir)
	if err != nil { // some file systems have no sockets; all else works there
		n.Logger.Warn("the operator's commands cannot reach this node: backup, verify and stats need it stopped", "error", err)
	}
	if opened != nil {
		opened()
	}
	err = n.serve(ctx, log, listener, socket)
	return errors.Join(err, log.Close())
}

func (n Node) serve(ctx context.Context, log *eventlog.Log, listener, socket net.Listener) error {
	server := node.New(log, node.Options{
		Registerer: n.Registerer, Logger: n.Logger, Certificate: n.Certificate, Users: n.Users,
	})
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return server.Serve(ctx, listener) })
	if socket != nil {
		g.Go(func() error { return newControl(log, n.Logger).serve(ctx, socket) })
	}
	if n.Monitor != nil {
		g.Go(func() error { return n.monitor(ctx, log) })
	}
	return g.Wait()
}

func (n Node) monitor(ctx context.Context, log *eventlog.Log) error {
	health, err := httpapi.Health(n.Gatherer, nil, httpapi.Check{
		Name: "log", Ask: func(context.Context) error { return errors.Join(log.Failure(), log.Full()) },
	})
	if err != nil {
		return errors.Join(err, n.closeMonitor())
	}
	return httpapi.Serve(ctx, n.Monitor, health, nil, n.Logger)
}

func (n Node) closeMonitor() error {
	if n.Monitor == nil {
		return nil
	}
	return n.Monitor.Close()
}
