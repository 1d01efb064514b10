package process

import (
	"context"
	"fmt"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/tidings-io/tidings/internal/tracing"
)

// databaseEvery is how often Postgres is asked whether it is there, and how long it
// may take to say so.
const databaseEvery = 2 * time.Second

// database watches a process's Postgres and its pool.
type database struct {
	pool      *pgxpool.Pool
	probe     *pgxpool.Pool // one connection of its own: the pool may be in use as a whole, with Postgres in best health
	connected prometheus.Gauge
	stop      context.CancelFunc
	stopped   chan struct{}
}

// openDatabase makes a pool, and asks Postgres now and then whether it is there, until
// it is closed.
func openDatabase(ctx context.Context, config *pgxpool.Config, registerer prometheus.Registerer, traces *tracing.Provider) (*database, error) {
	alone := config.Copy()
	if sdk := traces.SDK(); sdk != nil {
		// Spans of statements, of requests that are traced; never of their arguments.
		config.ConnConfig.Tracer = otelpgx.NewTracer(otelpgx.WithTracerProvider(sdk),
			otelpgx.WithDisableConnectionDetailsInAttributes(), otelpgx.WithMeterProvider(noop.NewMeterProvider()))
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	alone.MaxConns, alone.MinConns, alone.MinIdleConns = 1, 0, 0
	probe, err := pgxpool.NewWithConfig(ctx, alone)
	if err != nil {
		pool.Close()
		return nil, err
	}
	d := &database{pool: pool, probe: probe, stopped: make(chan struct{}), connected: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "tidings_postgres_connected", Help: "Whether Postgres answered when it was asked last, 2 s ago at most: 1, or 0.",
	})}
	for _, c := range []prometheus.Collector{d.connected, poolMetrics{pool}} {
		if err := registerer.Register(c); err != nil {
			pool.Close()
			probe.Close()
			return nil, fmt.Errorf("register the metrics of the database: %w", err)
		}
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	d.stop = stop
	go func() {
		defer close(d.stopped)
		d.watch(watching)
	}()
	return d, nil
}

func (d *database) close() {
	d.stop()
	<-d.stopped
	d.probe.Close()
	d.pool.Close()
}

func (d *database) watch(ctx context.Context) {
	tick := time.NewTicker(databaseEvery)
	defer tick.Stop()
	for {
		d.ask(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (d *database) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, databaseEvery)
	defer cancel()
	if d.probe.Ping(ctx) == nil {
		d.connected.Set(1)
	} else {
		d.connected.Set(0)
	}
}

// poolMetrics collects what a pool says of itself, all of one moment.
type poolMetrics struct{ pool *pgxpool.Pool }

var (
	poolConnections = prometheus.NewDesc("tidings_postgres_connections",
		"Connections of the pool, by what they are at.", []string{"state"}, nil)
	poolMax = prometheus.NewDesc("tidings_postgres_connections_max",
		"Connections that the pool may have.", nil, nil)
	poolWaits = prometheus.NewDesc("tidings_postgres_waits_total",
		"Times that somebody had to wait for a connection of the pool.", nil, nil)
	poolWaited = prometheus.NewDesc("tidings_postgres_wait_seconds_total",
		"How long they have waited, all together.", nil, nil)
)

// Describe implements prometheus.Collector.
func (poolMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{poolConnections, poolMax, poolWaits, poolWaited} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (m poolMetrics) Collect(to chan<- prometheus.Metric) {
	s := m.pool.Stat()
	gauge := func(d *prometheus.Desc, value int32, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(value), labels...)
	}
	gauge(poolConnections, s.AcquiredConns(), "acquired")
	gauge(poolConnections, s.IdleConns(), "idle")
	gauge(poolConnections, s.ConstructingConns(), "constructing")
	gauge(poolMax, s.MaxConns())
	to <- prometheus.MustNewConstMetric(poolWaits, prometheus.CounterValue, float64(s.EmptyAcquireCount()))
	to <- prometheus.MustNewConstMetric(poolWaited, prometheus.CounterValue, s.EmptyAcquireWaitTime().Seconds())
}
