package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/tidings-io/tidings/internal/projections"
	"github.com/tidings-io/tidings/internal/pulse"
	"github.com/tidings-io/tidings/internal/tracing"
)

// Dev is everything in one process: node, Postgres, projector and API, joined
// as they are on many machines.
type Dev struct {
	Dir            string // of all data
	StoreLimit     int    // see projections.Inbox
	Retention      projections.Retention
	SelfCheckEvery time.Duration // see Projector
	Edge           Edge
	Access         AccessFlags // who may call the API
	Limits         LimitFlags  // and how much
	Logger         *slog.Logger
	Registry       *prometheus.Registry
	Traces         *tracing.Provider // nil: nothing is traced
}

// Run serves until ctx ends: HTTP on one listener, the event store's protocol on
// the other. Ready is called once the API serves and the projection runs.
func (d Dev) Run(ctx context.Context, listener, storeListener net.Listener, ready func()) error {
	// What the applications stand on outlives them.
	ground, sink := context.WithCancel(context.WithoutCancel(ctx))
	defer sink()
	base, ground := errgroup.WithContext(ground)
	databaseURL := make(chan string, 1)
	node := Node{Dir: filepath.Join(d.Dir, "eventstore"), Logger: d.Logger, Registerer: d.Registry}
	database := Postgres{Dir: filepath.Join(d.Dir, "postgres"), Logger: d.Logger}
	base.Go(func() error { return node.Run(ground, storeListener, nil) })
	base.Go(func() error { return database.Run(ground, func(url string) { databaseURL <- url }) })

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(ground, stop)() // what stands on nothing ends
	var err error
	select {
	case url := <-databaseURL:
		err = d.applications(ctx, listener, storeURL(storeListener), url, ready)
	case <-ctx.Done():
		err = listener.Close()
	}
	sink()
	return errors.Join(err, base.Wait())
}

func storeURL(listener net.Listener) string {
	return fmt.Sprintf("esdb://%s?tls=false", listener.Addr())
}

func (d Dev) applications(ctx context.Context, listener net.Listener, storeURL, databaseURL string, ready func()) error {
	connections, err := Connect(ctx, storeURL, databaseURL, d.Logger, d.Registry, d.Traces)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer connections.Close()
	loops := new(pulse.Loops)
	projector := Projector{
		Store: connections.Store, DatabaseURL: databaseURL, StoreLimit: d.StoreLimit, Retention: d.Retention,
		Pool: connections.Pool, SelfCheckEvery: d.SelfCheckEvery, Logger: d.Logger, Registry: d.Registry, Loops: loops, Tracer: d.Traces.Tracer(),
	}
	inbox := projector.versions()
	control, err := d.Access.open(connections.Store, d.Logger, d.Registry)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	limiter, err := d.Limits.limiter(d.Access.required(), connections.Pool, d.Logger, d.Registry)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return inbox.Run(ctx) })
	g.Go(func() error { return projector.selfCheck(ctx, inbox) })
	g.Go(func() error {
		if !until(ctx, func() error { return settled(inbox) }) {
			return listener.Close()
		}
		return API{Connections: connections, Edge: d.Edge, Access: control, Limits: limiter, Logger: d.Logger, Registry: d.Registry, Loops: loops, Tracer: d.Traces.Tracer()}.Run(ctx, listener, func() {
			if until(ctx, func() error { return begun(inbox) }) {
				ready()
			}
		})
	})
	return g.Wait()
}

// settled is nil once the projection has made its tables, or has found that it
// cannot yet: until then there is nothing that questions could be put to.
func settled(inbox *projections.Versions) error {
	switch state := inbox.Status().State; state {
	case projections.StateStopped, projections.StateStarting:
		return errors.New(string(state))
	default:
		return nil
	}
}

// begun is nil once the projection works, or has found that it cannot.
func begun(inbox *projections.Versions) error {
	if inbox.Status().State == projections.StateHalted {
		return nil
	}
	return healthy(inbox)
}
