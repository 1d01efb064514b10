package commands

import (
	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
)

// Log is what a store says of itself.
type Log struct {
	ID uuid.UUID // zero while the store has no name
}

// Evolve folds the one event there is.
func (l Log) Evolve(e events.StoreNamed, _ events.Position) Log { return Log{ID: e.StoreID} }

// NameStore gives an empty store its identity; one that has it keeps it.
type NameStore struct {
	ID uuid.UUID
}

// Stream is the store's own.
func (NameStore) Stream() events.StreamName { return events.StoreStream }

// Decide names the store once.
func (c NameStore) Decide(l Log) ([]events.StoreNamed, error) {
	if l.ID != uuid.Nil {
		return nil, nil
	}
	return []events.StoreNamed{{StoreID: c.ID}}, nil
}
