package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"time"
	_ "time/tzdata" // zones are the same on every machine, also where it has none

	"github.com/tidings-io/tidings/internal/commands"
	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/queries"
)

const (
	maxMutedTopics  = 1000
	maxZoneBytes    = 64
	clockTime       = "15:04"
	maxChannelRules = 20
)

func (a *api) setPreferences(w http.ResponseWriter, r *http.Request) (done, error) {
	var f fields
	c := commands.SetPreferences{User: f.user(r)}
	o, err := a.object(w, r, &f, a.maxBodyBytes)
	if err != nil {
		return done{}, err
	}
	c.Preferences = f.preferences(o)
	if err := f.err(); err != nil {
		return done{}, err
	}
	receipt, err := commands.Handle(r.Context(), a.store, a.metadata(r, a.newID()), c)
	if err != nil {
		return done{}, err
	}
	return done{
		status: http.StatusOK, position: receipt.Position, changed: receipt.Changed,
		body: queries.NewPreferences(c.User, receipt.State.Preferences, receipt.Position),
	}, nil
}

func (a *api) preferences(ctx context.Context, r *http.Request, q *ask, at queries.AtLeast) (any, error) {
	user := q.user(r)
	if err := a.readyFor(ctx, q, at); err != nil {
		return nil, err
	}
	return a.reads.Preferences(ctx, user, at)
}

// preferences reads the whole of a user's preferences: what is absent is not so.
func (f *fields) preferences(o object) events.Preferences {
	p := events.Preferences{
		QuietHours: f.quietHours(o), MutedTopics: f.mutedTopics(o), Channels: f.channelRules(o),
	}
	f.rest(o, "preferences")
	return p
}

func (f *fields) quietHours(o object) *events.QuietHours {
	value, ok := o.take("quiet_hours")
	if !ok {
		return nil
	}
	var members object
	if err := json.Unmarshal(value, &members); err != nil {
		f.flaw("quiet_hours", "is an object with from, to and timezone")
		return nil
	}
	at := fields{}
	hours := &events.QuietHours{
		From: at.timeOfDay(members, "from"), To: at.timeOfDay(members, "to"), Timezone: at.zone(members),
	}
	if hours.From == hours.To && hours.From != "" {
		at.flaw("to", "is the same as from: give a stretch of the day, or no quiet_hours")
	}
	at.rest(members, "quiet_hours")
	f.within("quiet_hours", at)
	return hours
}

// within takes the flaws of a member's own members over.
func (f *fields) within(member string, of fields) {
	for _, flaw := range of.flaws {
		f.flaw(member+"."+flaw.Field, "%s", flaw.Message)
	}
}

func (f *fields) timeOfDay(o object, name string) string {
	before := len(f.flaws)
	text := f.text(o, name, 1, len(clockTime))
	if len(f.flaws) > before {
		return ""
	}
	if _, err := time.Parse(clockTime, text); err != nil || len(text) != len(clockTime) {
		f.flaw(name, "is a time of day, such as 07:00 or 22:30")
		return ""
	}
	return text
}

func (f *fields) zone(o object) string {
	const name = "timezone"
	before := len(f.flaws)
	text := f.text(o, name, 1, maxZoneBytes)
	if len(f.flaws) > before {
		return ""
	}
	if _, err := time.LoadLocation(text); err != nil || text == "Local" {
		f.flaw(name, "is a zone of the IANA database, such as Asia/Seoul or UTC")
	}
	return text
}

func (f *fields) mutedTopics(o object) []events.Topic {
	entries := f.list(o, "muted_topics", maxMutedTopics)
	topics := make([]events.Topic, len(entries))
	for i, entry := range entries {
		field := fmt.Sprintf("muted_topics[%d]", i)
		var s string
		if err := json.Unmarshal(entry, &s); err != nil || string(entry) == "null" {
			f.flaw(field, "is a string")
			continue
		}
		var err error
		if topics[i], err = events.ParseTopic(s); err != nil {
			f.flaw(field, "%s", err)
		}
	}
	return topics
}

// channelName is what a channel may be called; which there are is not known yet.
var channelName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)

func (f *fields) channelRules(o object) map[string]events.ChannelPreference {
	value, ok := o.take("channels")
	if !ok {
		return nil
	}
	var channels map[string]json.RawMessage
	if err := json.Unmarshal(value, &channels); err != nil {
		f.flaw("channels", "is an object with a member for each channel")
		return nil
	}
	if len(channels) > maxChannelRules {
		f.flaw("channels", "has at most %d members", maxChannelRules)
		return nil
	}
	all := make(map[string]events.ChannelPreference, len(channels))
	for name, value := range channels {
		field := "channels." + commands.FieldName(name)
		if !channelName.MatchString(name) {
			f.flaw(field, "is not the name of a channel: 1 to 32 characters of a-z 0-9 _ -, the first a letter")
			continue
		}
		var members object
		if err := json.Unmarshal(value, &members); err != nil || members == nil {
			f.flaw(field, "is an object with min_severity")
			continue
		}
		at := fields{}
		all[name] = events.ChannelPreference{MinSeverity: at.severity(members, "min_severity", events.SeverityLow)}
		at.rest(members, "a channel")
		f.within(field, at)
	}
	return all
}
