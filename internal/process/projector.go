package process

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/tidings-io/tidings/internal/httpapi"
	"github.com/tidings-io/tidings/internal/projections"
	"github.com/tidings-io/tidings/internal/pulse"
)

// Projector keeps the read model.
type Projector struct {
	Store       *Store
	DatabaseURL string
	StoreLimit  int // see projections.Inbox
	Retention   projections.Retention
	// Pool is what the self-check reads by, every SelfCheckEvery; 0 checks nothing.
	Pool           *pgxpool.Pool
	SelfCheckEvery time.Duration
	Logger         *slog.Logger
	Registry       *prometheus.Registry
	Loops          *pulse.Loops // that must move for the process to be live
	Tracer         trace.Tracer // nil: nothing is traced
}

func (p Projector) versions() *projections.Versions {
	return &projections.Versions{
		DatabaseURL: p.DatabaseURL, Source: p.Store, Orders: p.Store, StoreID: p.Store.Name, StoreLimit: p.StoreLimit,
		Retention: p.Retention, BatchDelay: projections.DefaultBatchDelay, Logger: p.Logger, Metrics: projections.NewMetrics(p.Registry), Loops: p.Loops, Tracer: p.Tracer,
	}
}

// Run projects until ctx ends; the listener serves health and metrics.
func (p Projector) Run(ctx context.Context, listener net.Listener) error {
	inbox := p.versions()
	health, err := httpapi.Health(p.Registry, p.Loops, httpapi.Check{
		Name: "eventstore", Ask: func(ctx context.Context) error { // one that leads keeps the lead without it
			_, err := p.Store.Head(ctx)
			return err
		},
	}, httpapi.Check{
		Name: "inbox", Ask: func(context.Context) error { return healthy(inbox) },
		Lag: func(ctx context.Context) (httpapi.Lag, error) { return p.lag(ctx, inbox) },
	})
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return inbox.Run(ctx) })
	g.Go(func() error { return p.selfCheck(ctx, inbox) })
	g.Go(func() error { return httpapi.Serve(ctx, listener, health, nil, p.Logger) })
	return g.Wait()
}

// healthy is nil while the projection applies events, stands by, or is paused by an
// operator.
func healthy(inbox *projections.Versions) error {
	status := inbox.Status()
	switch status.State {
	case projections.StateRunning, projections.StateStandby, projections.StatePaused:
		return nil
	default:
		return errors.New(string(status.State) + ": " + status.Reason)
	}
}

// until asks again and again, and says whether the answer was nil before ctx ended.
func until(ctx context.Context, ask func() error) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ask() != nil {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
	return true
}
