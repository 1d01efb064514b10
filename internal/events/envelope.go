package events

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// Event is a fact of one of the kinds in this package. Events are values: they
// are never changed once recorded.
type Event interface {
	// Type is the stored type name, the same for ever.
	Type() string
}

// Recorded is an event as the log holds it, in today's form.
type Recorded struct {
	ID       uuid.UUID
	Stream   StreamName
	Revision Revision
	Position Position
	At       time.Time // UTC, when the store accepted it
	Event    Event
	Metadata Metadata
}

// Stored is an event as the event store returns it: still bytes. Decode turns
// it into a Recorded.
type Stored struct {
	ID       uuid.UUID
	Stream   StreamName
	Revision Revision
	Position Position
	At       time.Time // UTC, when the store accepted it
	Type     string
	Data     json.RawMessage
	Metadata json.RawMessage
}

// Proposed is an event on its way into the store.
type Proposed struct {
	ID       uuid.UUID
	Type     string
	Data     json.RawMessage
	Metadata json.RawMessage
}

// Metadata says who asked for an event, and why.
type Metadata struct {
	// CommandID is random, or derived from an Idempotency-Key by KeyedID.
	CommandID uuid.UUID `json:"command_id"`
	// Attempt names this one execution of the command: event ids are derived from
	// it, so the store recognises our own retry of an append, and a client's repeat
	// of the whole command is seen as a conflict. It is not stored.
	Attempt uuid.UUID `json:"-"`
	// BodyHash is the SHA-256 of the validated command, in hex; only where an
	// Idempotency-Key can repeat it.
	BodyHash string `json:"body_hash,omitempty"`
	// CorrelationID and CausationID have the names EventStoreDB's tools understand.
	CorrelationID string `json:"$correlationId,omitempty"`
	CausationID   string `json:"$causationId,omitempty"`
	// Actor is the subject that sent the command.
	Actor string `json:"actor,omitempty"`
	// SchemaVersion is the version of the event's data; Encode sets it.
	SchemaVersion int `json:"schema_version"`
	// TraceParent is the W3C trace context of the request.
	TraceParent string `json:"traceparent,omitempty"`
}
