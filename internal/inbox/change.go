package inbox

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
)

// Change is what a user did to items, as told to all of their open streams:
// either IDs or Through is set.
type Change struct {
	Change  string          `json:"change"` // one of ChangeNames
	IDs     []uuid.UUID     `json:"ids,omitempty"`
	Through events.Position `json:"through,omitempty,omitzero"`
}

// ChangeNames are the changes a user can make.
var ChangeNames = []string{"read", "unread", "seen", "archive", "unarchive", "delete"}

// NewChange is the change an inbox event records.
func NewChange(e events.InboxEvent) Change {
	items := e.On()
	return Change{Change: changeName(e), IDs: items.IDs, Through: items.Through}
}

// Event is the event that records a change of this name to items; the error
// lists the names there are.
func Event(name string, items events.Items) (events.InboxEvent, error) {
	switch name {
	case "read":
		return events.ItemsRead{Items: items}, nil
	case "unread":
		return events.ItemsUnread{Items: items}, nil
	case "seen":
		return events.ItemsSeen{Items: items}, nil
	case "archive":
		return events.ItemsArchived{Items: items}, nil
	case "unarchive":
		return events.ItemsUnarchived{Items: items}, nil
	case "delete":
		return events.ItemsDeleted{Items: items}, nil
	default:
		return nil, fmt.Errorf("%q is no change: %q", name, ChangeNames)
	}
}

func changeName(e events.InboxEvent) string {
	switch e.(type) {
	case events.ItemsRead:
		return "read"
	case events.ItemsUnread:
		return "unread"
	case events.ItemsSeen:
		return "seen"
	case events.ItemsArchived:
		return "archive"
	case events.ItemsUnarchived:
		return "unarchive"
	case events.ItemsDeleted:
		return "delete"
	default:
		panic(fmt.Sprintf("inbox: no change for %T", e))
	}
}

// Concerns says whether an event is about what inboxes show, and readers are told of.
func Concerns(e events.Event) bool {
	switch e.(type) {
	case events.NotificationEvent, events.InboxEvent:
		return true
	default:
		return false
	}
}
