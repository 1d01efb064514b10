package events

import "github.com/google/uuid"

// InboxEvent is an event of a user's inbox: a fact from one of their devices.
type InboxEvent interface {
	Event
	// On is whose items the event is about, and which.
	On() Items
}

// Items names items of a user's inbox: those in IDs, or, where Through is set,
// all that were in the inbox at the event's own position and at or below it.
// Ids that were not in the inbox then are ignored.
type Items struct {
	User    User        `json:"user"`
	IDs     []uuid.UUID `json:"ids,omitempty"`
	Through Position    `json:"through,omitempty,omitzero"`
}

// On is the items themselves, so that events embedding them are InboxEvents.
func (i Items) On() Items { return i }

// The changes a user can make to items. Each is about one mark of an item; the
// last position wins, and a repeat changes nothing.
type (
	// ItemsSeen marks items as having been on screen.
	ItemsSeen struct{ Items }
	// ItemsRead marks items as read.
	ItemsRead struct{ Items }
	// ItemsUnread takes the read mark off.
	ItemsUnread struct{ Items }
	// ItemsArchived puts items away.
	ItemsArchived struct{ Items }
	// ItemsUnarchived brings items back.
	ItemsUnarchived struct{ Items }
	// ItemsDeleted takes items out of this user's inbox for good.
	ItemsDeleted struct{ Items }
)

// Type is the stored type name.
func (ItemsSeen) Type() string { return "ItemsSeen" }

// Type is the stored type name.
func (ItemsRead) Type() string { return "ItemsRead" }

// Type is the stored type name.
func (ItemsUnread) Type() string { return "ItemsUnread" }

// Type is the stored type name.
func (ItemsArchived) Type() string { return "ItemsArchived" }

// Type is the stored type name.
func (ItemsUnarchived) Type() string { return "ItemsUnarchived" }

// Type is the stored type name.
func (ItemsDeleted) Type() string { return "ItemsDeleted" }
