package replay

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// kind is what an event becomes when it is played.
type kind uint8

const (
	ofTheInstance kind = iota // nothing: it is about the instance, not about what it holds
	subscribes
	unsubscribes
	prefers
	publishes
	retracts
	marks
	describes
)

const storeNamed = "StoreNamed"

// form is what is known of a type of events.
type form struct {
	kind    kind
	version int // the newest that this program reads
	change  string
}

// forms holds every type. One that is not here is refused rather than left out: who knows what it does.
var forms = map[string]form{
	"Subscribed":          {kind: subscribes, version: 2},
	"SubscriptionChanged": {kind: subscribes, version: 2},
	"Unsubscribed":        {kind: unsubscribes, version: 1},
	"PreferencesSet":      {kind: prefers, version: 1},
	"Published":           {kind: publishes, version: 1},
	"Retracted":           {kind: retracts, version: 1},
	"ItemsSeen":           {kind: marks, version: 1, change: "seen"},
	"ItemsRead":           {kind: marks, version: 1, change: "read"},
	"ItemsUnread":         {kind: marks, version: 1, change: "unread"},
	"ItemsArchived":       {kind: marks, version: 1, change: "archive"},
	"ItemsUnarchived":     {kind: marks, version: 1, change: "unarchive"},
	"ItemsDeleted":        {kind: marks, version: 1, change: "delete"},
	"TopicDescribed":      {kind: describes, version: 1},
	storeNamed:            {},
	"KeyCreated":          {},
	"KeyRevoked":          {},
	"TokensRevoked":       {},
	"RebuildOrdered":      {},
	"VersionActivated":    {},
	"VersionDropped":      {},
	"ProjectionPaused":    {},
	"ProjectionResumed":   {},
	"EventSkipped":        {},
}

// fact is what the events that are played say, all of them together.
type fact struct {
	User        string `json:"user"`
	Topic       string `json:"topic"`
	MinSeverity string `json:"min_severity"`
	Filter      string `json:"filter"`
	Description string `json:"description"`

	NotificationID uuid.UUID       `json:"notification_id"`
	To             []string        `json:"to"`
	Severity       string          `json:"severity"`
	Sender         string          `json:"sender"`
	ExpiresAt      string          `json:"expires_at"`
	Content        json.RawMessage `json:"content"`

	IDs     []uuid.UUID `json:"ids"`
	Through uint64      `json:"through,string"`

	MutedTopics []string        `json:"muted_topics"`
	QuietHours  json.RawMessage `json:"quiet_hours"`
	Channels    json.RawMessage `json:"channels"`
}

// topics are those that a publish goes to.
func (f *fact) topics() []string {
	var all []string
	for _, to := range f.To {
		if topic, ok := strings.CutPrefix(to, "topic:"); ok {
			all = append(all, topic)
		}
	}
	return all
}

// understand reads what an event says. The error says why it cannot be played by this program.
func understand(e *Event) (form, fact, error) {
	f, known := forms[e.Type]
	switch {
	case !known:
		return f, fact{}, fmt.Errorf("this program does not know the type %s", e.Type)
	case f.kind == ofTheInstance:
		return f, fact{}, nil
	case e.Metadata.SchemaVersion > f.version:
		return f, fact{}, fmt.Errorf("this program knows %s up to version %d, not %d", e.Type, f.version, e.Metadata.SchemaVersion)
	}
	var said fact
	if err := json.Unmarshal(e.Data, &said); err != nil {
		return f, said, fmt.Errorf("read what %s says: %w", e.Type, err)
	}
	return f, said, nil
}
