package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/google/uuid"
)

// Event is one event of a log, as the audit trail shows it.
type Event struct {
	ID       uuid.UUID       `json:"id"`
	Stream   string          `json:"stream"`
	Revision uint64          `json:"revision"`
	Position uint64          `json:"position,string"`
	Type     string          `json:"type"`
	At       time.Time       `json:"at"`
	Data     json.RawMessage `json:"data"`
	Metadata Metadata        `json:"metadata"`

	// Text is the event as it was read, without a line's end. It is valid until the next event is read.
	Text []byte `json:"-"`
}

// Metadata is the part of an event's metadata that says who and why.
type Metadata struct {
	CorrelationID string `json:"$correlationId"`
	Actor         string `json:"actor"`
	SchemaVersion int    `json:"schema_version"`
}

// Source yields the events of a log after a position, oldest first, each once, up to the log's end as of when it is
// reached. An error is the last thing it yields.
type Source func(ctx context.Context, after uint64) iter.Seq2[Event, error]

// parse reads one event from its text.
func parse(text []byte) (Event, error) {
	var e Event
	if err := json.Unmarshal(text, &e); err != nil {
		return e, fmt.Errorf("read an event: %w", err)
	}
	if e.ID == uuid.Nil || e.Position == 0 || e.Type == "" || e.Stream == "" {
		return e, fmt.Errorf("read an event: %.80q is none", text)
	}
	e.Text = text
	return e, nil
}
