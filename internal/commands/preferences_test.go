package commands

import (
	"testing"

	"github.com/tidings-io/tidings/internal/events"
)

func TestPreferences(t *testing.T) {
	t.Parallel()
	set := func(p events.Preferences) events.ContactEvent {
		return events.PreferencesSet{User: "alice", Preferences: p}
	}
	night := func(zone string) *events.QuietHours {
		return &events.QuietHours{From: "22:00", To: "07:00", Timezone: zone}
	}
	mail := func(s events.Severity) map[string]events.ChannelPreference {
		return map[string]events.ChannelPreference{"email": {MinSeverity: s}}
	}
	all := events.Preferences{
		MutedTopics: []events.Topic{"a", "b"}, QuietHours: night("Asia/Seoul"), Channels: mail(events.SeverityHigh),
	}
	again := events.Preferences{ // the same, made anew
		MutedTopics: []events.Topic{"b", "a", "b"}, QuietHours: night("Asia/Seoul"), Channels: mail(events.SeverityHigh),
	}
	type given = []events.ContactEvent
	check(t, map[string]spec[Contact, events.ContactEvent]{
		"setting preferences records all of them": {
			when: SetPreferences{"alice", all}, then: given{set(all)},
		},
		"topics are recorded in order, each once": {
			when: SetPreferences{"alice", again}, then: given{set(all)},
		},
		"the same preferences change nothing": {
			given: given{set(all)}, when: SetPreferences{"alice", again},
		},
		"no preferences are what everybody begins with": {
			when: SetPreferences{"alice", events.Preferences{MutedTopics: []events.Topic{}, Channels: map[string]events.ChannelPreference{}}},
		},
		"what is left out is gone": {
			given: given{set(all)}, when: SetPreferences{"alice", events.Preferences{QuietHours: night("Asia/Seoul")}},
			then: given{set(events.Preferences{QuietHours: night("Asia/Seoul")})},
		},
		"all can be taken back": {
			given: given{set(all)}, when: SetPreferences{User: "alice"}, then: given{set(events.Preferences{})},
		},
		"other quiet hours alone are a change": {
			given: given{set(all)},
			when:  SetPreferences{"alice", events.Preferences{MutedTopics: all.MutedTopics, QuietHours: night("UTC"), Channels: all.Channels}},
			then:  given{set(events.Preferences{MutedTopics: all.MutedTopics, QuietHours: night("UTC"), Channels: all.Channels})},
		},
		"another rule of a channel alone is a change": {
			given: given{set(all)},
			when:  SetPreferences{"alice", events.Preferences{MutedTopics: all.MutedTopics, QuietHours: all.QuietHours, Channels: mail(0)}},
			then:  given{set(events.Preferences{MutedTopics: all.MutedTopics, QuietHours: all.QuietHours, Channels: mail(0)})},
		},
		"the last preferences are those that count": {
			given: given{set(all), set(events.Preferences{})}, when: SetPreferences{"alice", all}, then: given{set(all)},
		},
	})
}
