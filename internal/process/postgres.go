package process

import (
	"context"
	"log/slog"
	"time"

	"github.com/tidings-io/tidings/internal/postgres"
)

// Postgres is a private Postgres that is started again when it ends by itself.
type Postgres struct {
	Dir    string
	TCP    bool
	Logger *slog.Logger
}

// restartAfter is how long a Postgres that ended by itself, or could not be
// started again, is left alone.
const restartAfter = time.Second

// Run starts the server, hands its URL, which stays the same, to ready once, and
// keeps it running until ctx ends, and then returns nil. Only the first start may fail.
func (p Postgres) Run(ctx context.Context, ready func(url string)) error {
	options := postgres.Options{Dir: p.Dir, TCP: p.TCP, Logger: p.Logger}
	server, err := postgres.Start(ctx, options)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil //nolint:nilerr // what was killed half-way was killed by us; the next start begins anew
	case err != nil:
		return err
	}
	ready(server.URL())
	for {
		select {
		case <-ctx.Done():
			return server.Stop()
		case <-server.Done():
			p.Logger.Error("postgres ended by itself and is started again", "error", server.Err())
		}
		if server = p.restart(ctx, options); server == nil {
			return nil
		}
	}
}

// restart tries until it has a server, or nil when ctx ends first.
func (p Postgres) restart(ctx context.Context, options postgres.Options) *postgres.Server {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(restartAfter):
		}
		server, err := postgres.Start(ctx, options)
		if err == nil {
			return server
		}
		if ctx.Err() != nil {
			return nil
		}
		p.Logger.Error("postgres could not be started again", "error", err)
	}
}
