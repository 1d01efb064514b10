package commands

import (
	"maps"
	"slices"

	"github.com/tidings-io/tidings/internal/events"
)

// Contact is the state of how a user wants to be reached.
type Contact struct {
	Preferences events.Preferences
}

// Evolve folds one event.
func (c Contact) Evolve(e events.ContactEvent, _ events.Position) Contact {
	if e, ok := e.(events.PreferencesSet); ok {
		c.Preferences = e.Preferences
	}
	return c
}

// SetPreferences replaces all preferences of a user. Topics may come in any order
// and more than once.
type SetPreferences struct {
	User        events.User
	Preferences events.Preferences
}

// Stream is the user's contact stream.
func (c SetPreferences) Stream() events.StreamName { return events.ContactStream(c.User) }

// Decide replaces the preferences unless they are so already.
func (c SetPreferences) Decide(s Contact) ([]events.ContactEvent, error) {
	wanted := c.Preferences
	wanted.MutedTopics = slices.Compact(slices.Sorted(slices.Values(wanted.MutedTopics)))
	if samePreferences(s.Preferences, wanted) {
		return nil, nil
	}
	return []events.ContactEvent{events.PreferencesSet{User: c.User, Preferences: wanted}}, nil
}

func samePreferences(a, b events.Preferences) bool {
	quiet := a.QuietHours == b.QuietHours ||
		a.QuietHours != nil && b.QuietHours != nil && *a.QuietHours == *b.QuietHours
	return quiet && slices.Equal(a.MutedTopics, b.MutedTopics) && maps.Equal(a.Channels, b.Channels)
}
