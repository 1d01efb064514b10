package inbox

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
)

// Item is a notification in one user's inbox, in the form clients see. Times
// are UTC; an absent time means "not so".
type Item struct {
	ID          uuid.UUID       `json:"id"`
	Position    events.Position `json:"position"`
	To          []events.Target `json:"to"` // the topics, and the reader where named
	Title       string          `json:"title"`
	Body        string          `json:"body,omitempty"`
	Data        json.RawMessage `json:"data,omitempty"`
	Severity    events.Severity `json:"severity"`
	Sender      string          `json:"sender,omitempty"`
	Link        string          `json:"link,omitempty"`
	PublishedAt time.Time       `json:"published_at"`
	ExpiresAt   *time.Time      `json:"expires_at,omitempty"`
	SeenAt      *time.Time      `json:"seen_at,omitempty"`
	ReadAt      *time.Time      `json:"read_at,omitempty"`
	ArchivedAt  *time.Time      `json:"archived_at,omitempty"`
}

// NewItem is a notification as it first appears in the reader's inbox.
func NewItem(r events.Recorded, p events.Published, reader events.User) Item {
	return Item{
		ID: p.NotificationID, Position: r.Position, To: events.SeenBy(p.To, reader),
		Title: p.Content.Title, Body: p.Content.Body, Data: p.Content.Data, Link: p.Content.Link,
		Severity: p.Severity, Sender: p.Sender, PublishedAt: r.At, ExpiresAt: p.ExpiresAt,
	}
}
