package events

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"
)

// NotificationEvent is an event of a notification's life, in its own stream or
// in its batch's.
type NotificationEvent interface {
	Event
	notification()
}

// Content is what only the recipients may read. It is one member of its event,
// so that a later version can hold it sealed.
type Content struct {
	Title string          `json:"title"`
	Body  string          `json:"body,omitempty"`
	Data  json.RawMessage `json:"data,omitempty"` // a JSON object, canonical
	Link  string          `json:"link,omitempty"`
}

// Published puts a notification into the inbox of each recipient, once,
// however many targets reach them.
type Published struct {
	NotificationID uuid.UUID  `json:"notification_id"`
	To             []Target   `json:"to"`
	Severity       Severity   `json:"severity"`
	Sender         string     `json:"sender,omitempty"`
	ExpiresAt      *time.Time `json:"expires_at,omitempty"`
	Content        Content    `json:"content"`
}

// Retracted takes a published notification out of every inbox. It repeats what
// says who had received it: the publish's position, targets and severity.
type Retracted struct {
	NotificationID    uuid.UUID `json:"notification_id"`
	PublishedPosition Position  `json:"published_position"`
	To                []Target  `json:"to"`
	Severity          Severity  `json:"severity"`
}

// Type is the stored type name.
func (Published) Type() string { return "Published" }

// Type is the stored type name.
func (Retracted) Type() string { return "Retracted" }

func (Published) notification() {}
func (Retracted) notification() {}

// SeenBy is the targets as one reader may know them: the topics, and the reader
// where they were named. Other people never learn who else was named.
func SeenBy(to []Target, reader User) []Target {
	return slices.DeleteFunc(slices.Clone(to), func(t Target) bool {
		return t.User != "" && t.User != reader
	})
}
