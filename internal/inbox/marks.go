package inbox

import "time"

// Marks are what a user did to an item: when they first did so, or nil where they
// did not, or took it back.
type Marks struct {
	SeenAt, ReadAt, ArchivedAt, DeletedAt *time.Time
}

// Apply folds a change of this name, one of ChangeNames, made at this time. A
// repeat keeps the first time, and nothing happens to what was deleted.
func (m *Marks) Apply(change string, at time.Time) {
	if m.DeletedAt != nil {
		return
	}
	switch change {
	case "seen":
		first(&m.SeenAt, at)
	case "read":
		first(&m.ReadAt, at)
	case "unread":
		m.ReadAt = nil
	case "archive":
		first(&m.ArchivedAt, at)
	case "unarchive":
		m.ArchivedAt = nil
	case "delete":
		first(&m.DeletedAt, at)
	}
}

// Away says whether lists leave the item out: it was archived or deleted.
func (m *Marks) Away() bool { return m.ArchivedAt != nil || m.DeletedAt != nil }

func first(mark **time.Time, at time.Time) {
	if *mark == nil {
		*mark = &at
	}
}
