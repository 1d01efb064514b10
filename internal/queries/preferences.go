package queries

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/tidings-io/tidings/internal/events"
)

// Preferences are what a user asked of everything that is sent to them; nothing,
// for a user nobody has heard of.
type Preferences struct {
	User        events.User                         `json:"user"`
	QuietHours  *events.QuietHours                  `json:"quiet_hours,omitempty"` // recorded: they will hold deliveries back
	MutedTopics []events.Topic                      `json:"muted_topics"`          // never nil
	Channels    map[string]events.ChannelPreference `json:"channels"`              // never nil; recorded: they will hold deliveries back
	Position    events.Position                     `json:"position"`              // the checkpoint of the snapshot
}

// NewPreferences are a user's preferences as they are shown.
func NewPreferences(user events.User, p events.Preferences, at events.Position) Preferences {
	shown := Preferences{User: user, QuietHours: p.QuietHours, MutedTopics: p.MutedTopics, Channels: p.Channels, Position: at}
	if shown.MutedTopics == nil {
		shown.MutedTopics = []events.Topic{}
	}
	if shown.Channels == nil {
		shown.Channels = map[string]events.ChannelPreference{}
	}
	return shown
}

var preferencesSQL = statement("preferences")

// Preferences are those of a user.
func (q *Queries) Preferences(ctx context.Context, user events.User, demands ...AtLeast) (Preferences, error) {
	doing := fmt.Sprintf("read the preferences of %s", user)
	var found events.Preferences
	at, err := q.rows(ctx, doing, demands, func(r row) error {
		var settings []byte
		if err := r(&settings); err != nil {
			return err
		}
		if err := json.Unmarshal(settings, &found); err != nil {
			return fmt.Errorf("the settings: %w", err)
		}
		return nil
	}, preferencesSQL, string(user))
	if err != nil {
		return Preferences{}, err
	}
	return NewPreferences(user, found, at), nil
}
