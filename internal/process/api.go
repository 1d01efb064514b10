package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/httpapi"
	"github.com/tidings-io/tidings/internal/limits"
	"github.com/tidings-io/tidings/internal/live"
	"github.com/tidings-io/tidings/internal/pulse"
	"github.com/tidings-io/tidings/internal/queries"
	"github.com/tidings-io/tidings/web"
)

// API serves commands, queries and streams.
type API struct {
	*Connections
	Edge     Edge
	Access   *AccessControl  // nil: everybody may do everything
	Limits   *limits.Limiter // nil: as much as they like
	Monitor  net.Listener    // serves health and metrics, and the API no metrics; nil: the API does all
	Logger   *slog.Logger
	Registry *prometheus.Registry
	Loops    *pulse.Loops // that must move for the process to be live
	Tracer   trace.Tracer // nil: nothing is traced
}

// Run serves on the listener until ctx ends, and then drains. Neither the store
// nor the database needs to be there when it begins; serving, if not nil, is
// called once the hub follows the log.
func (a API) Run(ctx context.Context, listener net.Listener, serving func()) error {
	reads := queries.New(a.Pool, queries.Options{Log: a.Store, Streams: a.Store, Logger: a.Logger})
	hub := &live.Hub{
		Source: a.Store, History: reads.Snapshot, Logger: a.Logger, Metrics: live.NewMetrics(a.Registry), Tracer: a.Tracer,
		Skipped: skipped(a.Store, "inbox"), Loops: a.Loops,
		Start: func(ctx context.Context) (events.Position, error) {
			at, _, err := reads.Checkpoint(ctx)
			return at, err
		},
	}
	// Streams and waits end first, then the requests under way, then what they work with.
	drain, drained := context.WithCancel(context.WithoutCancel(ctx))
	defer drained()
	parts, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	config := httpapi.Config{
		Store: a.Store, Log: a.Store, Reads: patient{reads, drain}, Hub: hub, Console: web.Console(),
		Stream:         httpapi.StreamOptions{Drain: drain},
		TrustedProxies: a.Edge.TrustedProxies, Origins: a.Edge.Origins, Hosts: a.Edge.Hosts, Limits: a.Limits,
		Ready: a.checks(hub, reads), Logger: a.Logger, Loops: a.Loops, Tracer: a.Tracer, Registerer: a.Registry, Gatherer: a.Registry,
	}
	config.MetricsElsewhere = a.Monitor != nil
	if a.Access != nil {
		config.Access, config.QueryToken = a.Access.Authority, a.Access.QueryToken
	}
	handler, err := httpapi.New(config)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return hub.Run(parts) })
	g.Go(func() error { return reads.Run(parts) })
	if a.Monitor != nil {
		health, err := httpapi.Health(a.Registry, a.Loops, config.Ready...)
		if err != nil {
			return errors.Join(err, listener.Close(), a.Monitor.Close())
		}
		g.Go(func() error { return httpapi.Serve(ctx, a.Monitor, health, nil, a.Logger) })
	}
	if a.Limits != nil {
		g.Go(func() error { return a.Limits.Run(parts) })
	}
	for _, run := range a.Access.parts() {
		g.Go(func() error { return run(parts) })
	}
	g.Go(func() error {
		defer stop()
		return httpapi.Serve(ctx, listener, handler, drained, a.Logger)
	})
	if serving != nil {
		g.Go(func() error {
			if until(ctx, hub.Ready) {
				serving()
			}
			return nil
		})
	}
	return g.Wait()
}

func (a API) checks(hub *live.Hub, reads *queries.Queries) []httpapi.Check {
	checks := []httpapi.Check{
		{Name: "eventstore", Ask: func(ctx context.Context) error {
			_, err := a.Store.Head(ctx)
			return err
		}},
		{
			Name: "database", Ask: func(ctx context.Context) error { return a.readable(ctx, reads) },
			Lag: func(ctx context.Context) (httpapi.Lag, error) { return a.lag(ctx, reads) },
		},
		{Name: "live", Ask: func(context.Context) error { return hub.Ready() }},
	}
	if a.Access != nil {
		checks = append(checks, httpapi.Check{Name: "access", Ask: a.Access.ready})
	}
	return checks
}

// patient answers as Queries does, but keeps nobody waiting once drain has ended:
// the projector may have been stopped as well.
type patient struct {
	*queries.Queries

	drain context.Context //nolint:containedctx // a signal to all who wait, not a request's
}

// WaitFor waits as Queries does.
func (p patient) WaitFor(ctx context.Context, at events.Position) error {
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.drain, cancel)()
	err := p.Queries.WaitFor(waiting, at)
	if err != nil && waiting.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: this process is stopping", queries.ErrNotYetProjected)
	}
	return err
}

// errNoProjector says why there is nothing to read from, though Postgres is there.
var errNoProjector = errors.New("no projector has begun: there is no read model yet")

// readable is nil when there is a read model, and it is of this store's log.
func (a API) readable(ctx context.Context, reads *queries.Queries) error {
	const noTable = "42P01"
	_, belongs, err := reads.Checkpoint(ctx)
	var refusal *pgconn.PgError
	switch {
	case errors.As(err, &refusal) && refusal.Code == noTable:
		return errNoProjector
	case err != nil:
		return err
	case belongs == uuid.Nil:
		return errNoProjector
	}
	if name, err := a.Store.Name(ctx); err == nil && name != belongs {
		return fmt.Errorf("the read model is of the event store %s, not of %s", belongs, name)
	}
	return nil
}
