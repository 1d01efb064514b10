package events

import "github.com/google/uuid"

// StoreNamed is appended first into an empty store and identifies this log:
// positions and checkpoints mean something only together with it.
type StoreNamed struct {
	StoreID uuid.UUID `json:"store_id"`
}

// Type is the stored type name.
func (StoreNamed) Type() string { return "StoreNamed" }
