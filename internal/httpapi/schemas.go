package httpapi

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/commands"
	"github.com/tidings-io/tidings/internal/events"
)

// This file says what bodies look like, for the OpenAPI document. What is valid
// is decided where bodies are read.

var severityNames = events.SeverityNames

type subscriptionBody struct {
	MinSeverity string   `json:"min_severity,omitempty" enum:"low,normal,high,critical" default:"low" doc:"The lowest severity that is delivered."`
	Channels    []string `json:"channels,omitempty" maxItems:"0" doc:"Not supported yet."`
	Filter      string   `json:"filter,omitempty" maxLength:"2000" example:"severity == 'high' && data.region == 'eu'" doc:"An expression in CEL (https://cel.dev) over title, severity, sender, topic and data that a notification must match; what cannot be evaluated does not match."`
}

type preferencesBody struct {
	QuietHours  *quietHoursBody                  `json:"quiet_hours,omitempty" doc:"A stretch of every day in which deliveries outside the inbox are to wait. Recorded: such deliveries come later."`
	MutedTopics []string                         `json:"muted_topics,omitempty" maxItems:"1000" doc:"Topics that bring nothing into the inbox, whatever the subscriptions say."`
	Channels    map[string]channelPreferenceBody `json:"channels,omitempty" doc:"Rules by channel, such as email. Recorded: deliveries through channels come later."`
}

type quietHoursBody struct {
	From     string `json:"from" pattern:"^([01][0-9]|2[0-3]):[0-5][0-9]$" example:"22:00"`
	To       string `json:"to" pattern:"^([01][0-9]|2[0-3]):[0-5][0-9]$" example:"07:00" doc:"Before from: of the next day."`
	Timezone string `json:"timezone" example:"Asia/Seoul" doc:"Of the IANA database."`
}

type channelPreferenceBody struct {
	MinSeverity string `json:"min_severity,omitempty" enum:"low,normal,high,critical" default:"low"`
}

type subscribersBody struct {
	Add    []string `json:"add,omitempty" maxItems:"1000" doc:"Users; with those of remove at most 1,000."`
	Remove []string `json:"remove,omitempty" maxItems:"1000"`
}

type topicBody struct {
	Description string `json:"description" maxLength:"1000"`
}

type notificationBody struct {
	To        []string       `json:"to" minItems:"1" maxItems:"100" example:"[\"topic:builds\",\"user:alice\"]" doc:"topic:<topic> or user:<user>, each once."`
	Title     string         `json:"title" minLength:"1" maxLength:"200" example:"main is red"`
	Body      string         `json:"body,omitempty" doc:"At most 8 KiB."`
	Data      map[string]any `json:"data,omitempty" doc:"At most 64 KiB."`
	Severity  string         `json:"severity,omitempty" enum:"low,normal,high,critical" default:"normal"`
	Sender    string         `json:"sender,omitempty" maxLength:"200"`
	Link      string         `json:"link,omitempty" format:"uri" maxLength:"2048"`
	ExpiresAt *time.Time     `json:"expires_at,omitempty" doc:"After this it is in no inbox."`
}

type batchBody struct {
	Notifications []notificationBody `json:"notifications" minItems:"1" maxItems:"1000"`
}

type alertBody struct {
	Target   []string `json:"target" minItems:"1" maxItems:"100" example:"[\"@alice\",\"@@builds\"]" doc:"@<user> or @@<topic>, each once."`
	Severity string   `json:"severity,omitempty" enum:"low,normal,high,critical" default:"normal"`
	Message  string   `json:"message" minLength:"1" example:"node1 down"`
}

type itemsBody struct {
	IDs     []uuid.UUID `json:"ids,omitempty" minItems:"1" maxItems:"1000" doc:"Either these, or through."`
	Through string      `json:"through,omitempty" pattern:"^(0|[1-9][0-9]*)$" doc:"All items in the inbox then, at or below this position."`
}

// batchAnswerDoc is batchAnswer with its entries spelled out.
type batchAnswerDoc struct {
	Results  []batchResult   `json:"results" doc:"In the order of the call: published, or a problem."`
	Position events.Position `json:"position" doc:"The highest; 0 when nothing was published."`
}

type batchResult struct {
	ID       *uuid.UUID       `json:"id,omitempty"`
	Status   json.RawMessage  `json:"status" doc:"published, or the status of a problem."`
	Position *events.Position `json:"position,omitempty"`
	Type     string           `json:"type,omitempty"`
	Title    string           `json:"title,omitempty"`
	Detail   string           `json:"detail,omitempty"`
	Code     string           `json:"code,omitempty"`
	Request  string           `json:"request_id,omitempty"`
	Errors   []commands.Flaw  `json:"errors,omitempty"`
}
