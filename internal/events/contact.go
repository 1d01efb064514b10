package events

// ContactEvent is an event of a user's contact stream.
type ContactEvent interface {
	Event
	contact()
}

// PreferencesSet replaces all preferences of a user from its position on.
type PreferencesSet struct {
	User User `json:"user"`
	Preferences
}

// Preferences are what a user asked of everything that is sent to them. The zero
// value lets everything through.
type Preferences struct {
	// MutedTopics bring nothing into the inbox, whatever the subscriptions say; in
	// the order of their bytes, each once. What names the user, or another topic,
	// still does.
	MutedTopics []Topic `json:"muted_topics,omitempty"`
	// QuietHours hold deliveries outside the inbox back.
	QuietHours *QuietHours `json:"quiet_hours,omitempty"`
	// Channels have rules of their own, by channel.
	Channels map[string]ChannelPreference `json:"channels,omitempty"`
}

// QuietHours are a stretch of every day; one that ends before it begins goes over
// midnight.
type QuietHours struct {
	From     string `json:"from"`     // 15:04
	To       string `json:"to"`       // 15:04
	Timezone string `json:"timezone"` // of the IANA database
}

// ChannelPreference is what may go through one channel.
type ChannelPreference struct {
	MinSeverity Severity `json:"min_severity"`
}

// Type is the stored type name.
func (PreferencesSet) Type() string { return "PreferencesSet" }

func (PreferencesSet) contact() {}
