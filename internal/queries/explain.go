package queries

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
)

// Streams is the event store, as far as explaining needs it.
type Streams interface {
	// Read yields a stream's events from a revision on, forwards; nothing for a
	// stream that does not exist. An error is the last thing it yields.
	Read(ctx context.Context, stream events.StreamName, from events.Revision) iter.Seq2[events.Stored, error]
}

// Explanation says why a user did or did not get a notification, as the events that
// decided it. It names nobody but the user and those who acted.
type Explanation struct {
	NotificationID uuid.UUID       `json:"notification_id"`
	User           events.User     `json:"user"`
	Received       bool            `json:"received"` // it reached the inbox, whatever became of it
	Verdict        string          `json:"verdict"`
	Position       events.Position `json:"position"` // where it was published
	To             []events.Target `json:"to"`       // the topics, and the user where named; never nil
	Steps          []ExplainStep   `json:"steps"`    // in the order of the log
	State          ExplainState    `json:"state"`
}

// ExplainStep is an event that had a part in it.
type ExplainStep struct {
	Position      events.Position   `json:"position"`
	Audit         string            `json:"audit,omitempty" doc:"Where the audit trail has the event."` // for the edge to fill in
	Type          string            `json:"type"`
	Stream        events.StreamName `json:"stream"`
	Revision      events.Revision   `json:"revision"`
	At            time.Time         `json:"at"`
	Actor         string            `json:"actor,omitempty"`
	CorrelationID string            `json:"correlation_id,omitempty"`
	Topic         events.Topic      `json:"topic,omitempty"` // whose subscription it is about
	Finding       string            `json:"finding"`
	Decides       bool              `json:"decides"`           // without it the answer would be another
	Targets       []ExplainTarget   `json:"targets,omitempty"` // of the publish: what became of each
}

// ExplainTarget is what became of one target of the notification, for the user.
type ExplainTarget struct {
	Target  events.Target `json:"target"`
	Reached bool          `json:"reached"`
	Finding string        `json:"finding"`
}

// ExplainState is what has become of the notification; an absent time means "not so".
type ExplainState struct {
	SeenAt      *time.Time `json:"seen_at,omitempty"`
	ReadAt      *time.Time `json:"read_at,omitempty"`
	ArchivedAt  *time.Time `json:"archived_at,omitempty"`
	DeletedAt   *time.Time `json:"deleted_at,omitempty"`
	RetractedAt *time.Time `json:"retracted_at,omitempty"`
	ExpiresAt   *time.Time `json:"expires_at,omitempty"`
	Retracted   bool       `json:"retracted"`
	Expired     bool       `json:"expired"`
	Retained    *bool      `json:"retained,omitempty"` // false: retention hides it; absent where the tables do not say
}

// Explain says why a user did or did not get a notification. The answer is read from
// the log, so that it does not depend on the tables being right, or even there; only
// whether retention hides the item by now is theirs to say. ErrNotFound where there
// is no such notification.
func (q *Queries) Explain(ctx context.Context, id uuid.UUID, user events.User) (Explanation, error) {
	x := explainer{id: id, user: user, streams: q.streams, now: q.now()}
	if err := x.read(ctx); err != nil {
		return Explanation{}, fmt.Errorf("explain notification %s to %s: %w", id, user, err)
	}
	if x.received() {
		x.retained = q.retained(ctx, user, x.publish.Position, x.now)
	}
	return x.explanation(), nil
}

var retainedSQL = statement("retained")

// retained asks the tables whether retention shows what is at a position; nil where
// they cannot say, or have not passed it.
func (q *Queries) retained(ctx context.Context, user events.User, at events.Position, now time.Time) *bool {
	if q.pool == nil {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	var retained *bool
	if err := q.pool.QueryRow(limited, retainedSQL, string(user), now, uint64(forEver), uint64(at)).Scan(&retained); err != nil {
		return nil
	}
	return retained
}
