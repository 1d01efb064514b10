package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings-io/tidings/internal/commands"
	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/esdb"
	"github.com/tidings-io/tidings/internal/tracing"
)

// Connections are a process's event store and database. Neither needs to be
// there yet: both are connected to when first used, and again whenever they
// come back.
type Connections struct {
	Store *Store
	Pool  *pgxpool.Pool

	database *database
}

// Connect checks both addresses and waits for neither. What it answers must be closed.
// With a provider of traces, appends and the pool's statements have spans.
func Connect(ctx context.Context, storeURL, databaseURL string, logger *slog.Logger, registerer prometheus.Registerer, traces *tracing.Provider) (*Connections, error) {
	store, err := esdb.Open(storeURL, esdb.Options{Logger: logger, Registerer: registerer, Tracer: traces.Tracer()})
	if err != nil {
		return nil, fmt.Errorf("event store address: %w", err)
	}
	config, err := parseDatabaseURL(databaseURL)
	var database *database
	if err == nil {
		bound(config)
		database, err = openDatabase(ctx, config, registerer, traces)
	}
	if err != nil {
		store.Close()
		return nil, fmt.Errorf("database address: %w", err)
	}
	return &Connections{Store: &Store{Store: store}, Pool: database.pool, database: database}, nil
}

// Close gives both back.
func (c *Connections) Close() {
	c.database.close()
	c.Store.Close()
}

// Store is the event store of a log that has a name: nothing is appended before
// the StoreNamed that identifies it.
type Store struct {
	*esdb.Store
	name atomic.Pointer[uuid.UUID]
}

// Append names the store if that has not been done, and then appends.
func (s *Store) Append(
	ctx context.Context, stream events.StreamName, expected events.Expected, evs ...events.Proposed,
) (events.Appended, error) {
	if _, err := s.Name(ctx); err != nil {
		return events.Appended{}, unnamed(err)
	}
	return s.Store.Append(ctx, stream, expected, evs...)
}

// unnamed is what to say of an append to a store that could not be named. Only the
// name was at stake: of the caller's events nothing was written, for certain.
func unnamed(err error) error {
	if errors.Is(err, events.ErrOutcomeUnknown) {
		return fmt.Errorf("%w: %v", events.ErrStoreUnavailable, err) //nolint:errorlint // the doubt is not about the caller's events
	}
	return err
}

// Name is the log's identity; an empty store is given one.
func (s *Store) Name(ctx context.Context) (uuid.UUID, error) {
	if name := s.name.Load(); name != nil {
		return *name, nil
	}
	receipt, err := commands.Handle(ctx, s.Store, ownMetadata("tidings"), commands.NameStore{ID: uuid.New()})
	if err != nil {
		return uuid.Nil, fmt.Errorf("identify the event store: %w", err)
	}
	s.name.Store(&receipt.State.ID)
	return receipt.State.ID, nil
}

// ownMetadata is that of a command that no request asked for: it is its own
// correlation.
func ownMetadata(actor string) events.Metadata {
	id := uuid.New()
	return events.Metadata{CommandID: id, Attempt: id, CorrelationID: id.String(), CausationID: id.String(), Actor: actor}
}
