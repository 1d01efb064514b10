package queries

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
)

// Status is where a notification is in its life.
type Status string

// The statuses.
const (
	StatusPublished Status = "published"
	StatusRetracted Status = "retracted"
)

// Notification is a notification as its publisher knows it. Times are UTC.
type Notification struct {
	ID          uuid.UUID       `json:"id"`
	Status      Status          `json:"status"`
	Position    events.Position `json:"position"` // where it was published
	To          []events.Target `json:"to"`       // all targets, in the publisher's order
	Title       string          `json:"title"`
	Body        string          `json:"body,omitempty"`
	Data        json.RawMessage `json:"data,omitempty"`
	Severity    events.Severity `json:"severity"`
	Sender      string          `json:"sender,omitempty"`
	Link        string          `json:"link,omitempty"`
	PublishedAt time.Time       `json:"published_at"`
	ExpiresAt   *time.Time      `json:"expires_at,omitempty"`
	// Recipients is how many users it reached when it was published, each counted
	// once; a retraction changes nothing about that.
	Recipients int `json:"recipients"`
	// Checkpoint is that of the snapshot.
	Checkpoint events.Position `json:"-"`
}

// Recipients is how many users a notification reached.
type Recipients struct {
	Count      int
	Checkpoint events.Position // of the snapshot
}

var (
	notificationSQL = statement("notification")
	recipientsSQL   = statement("recipients")
)

// Notification is one notification, or ErrNotFound. Its recipients are counted
// when asked, which for a topic of a million subscribers takes a while.
func (q *Queries) Notification(ctx context.Context, id uuid.UUID, demands ...AtLeast) (Notification, error) {
	n := Notification{ID: id, Status: StatusPublished}
	at, err := q.one(ctx, fmt.Sprintf("read notification %s", id), demands, n.scan, notificationSQL, id)
	if err != nil {
		return Notification{}, err
	}
	n.Checkpoint = at
	return n, nil
}

// Recipients counts whom a notification reached, or answers ErrNotFound.
func (q *Queries) Recipients(ctx context.Context, id uuid.UUID, demands ...AtLeast) (Recipients, error) {
	var n Recipients
	at, err := q.one(ctx, fmt.Sprintf("count the recipients of notification %s", id), demands, func(r row) error {
		return r(&n.Count)
	}, recipientsSQL, id)
	if err != nil {
		return Recipients{}, err
	}
	n.Checkpoint = at
	return n, nil
}

// one asks for exactly one row, by the rules of rows; none is ErrNotFound.
func (q *Queries) one(ctx context.Context, doing string, demands []AtLeast, scan func(row) error, sql string, args ...any) (events.Position, error) {
	found := false
	at, err := q.rows(ctx, doing, demands, func(r row) error {
		found = true
		return scan(r)
	}, sql, args...)
	if err == nil && !found {
		err = fmt.Errorf("%s: %w", doing, ErrNotFound)
	}
	return at, err
}

func (n *Notification) scan(r row) error {
	var (
		targets   []string
		retracted bool
	)
	err := r(&n.Position, &targets, (*uint8)(&n.Severity), &n.Title, &n.Body, (*[]byte)(&n.Data), &n.Sender, &n.Link,
		&n.PublishedAt, &n.ExpiresAt, &retracted, &n.Recipients)
	n.To = parseTargets(targets)
	if retracted {
		n.Status = StatusRetracted
	}
	toUTC(&n.PublishedAt, n.ExpiresAt)
	return err
}
