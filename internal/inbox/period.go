package inbox

import (
	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/filter"
)

// Period is a stretch of the log, both ends exclusive, in which a user was
// subscribed to a topic with unchanging rules. A change of rules, or of the topic
// being muted, ends one period and begins the next at the same position.
type Period struct {
	Topic events.Topic
	From  events.Position
	Until events.Position // 0 while it lasts
	Since events.Position // where the subscription began, kept through changes
	Muted bool            // the user wants nothing of the topic
	events.Rules
}

// Covers says whether a notification published to the topic at this position and
// severity reaches the user by this period, but for what the filter says.
func (p Period) Covers(at events.Position, severity events.Severity) bool {
	return !p.Muted && p.From < at && (p.Until == 0 || at < p.Until) && severity >= p.MinSeverity
}

// Admits says whether the notification, published to the topic at this position,
// reaches the user by this period.
func (p Period) Admits(at events.Position, severity events.Severity, of *filter.Candidate) bool {
	return p.Covers(at, severity) && of.Matches(p.Filter, p.Topic)
}
