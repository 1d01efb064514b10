package filter

import (
	"encoding/json"
	"sync"

	"github.com/tidings-io/tidings/internal/events"
)

// Candidate is a notification that filters judge. It remembers its verdicts, so
// that a thousand subscribers with the same filter cost one evaluation. It may be
// used by several goroutines.
type Candidate struct {
	published events.Published

	mu       sync.Mutex
	data     map[string]any // of the notification, read when first needed
	verdicts map[question]bool
}

type question struct {
	filter string
	topic  events.Topic
}

// Of makes a candidate of a notification.
func Of(p events.Published) *Candidate { return &Candidate{published: p} }

// Matches says whether a subscription to the topic with this filter lets the
// notification through.
func (c *Candidate) Matches(filter string, topic events.Topic) bool {
	if filter == "" {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	q := question{filter, topic}
	verdict, known := c.verdicts[q]
	if !known {
		verdict = c.judge(q)
		if c.verdicts == nil {
			c.verdicts = map[question]bool{}
		}
		c.verdicts[q] = verdict
	}
	return verdict
}

// judge needs mu.
func (c *Candidate) judge(q question) bool {
	program, err := programOf(q.filter)
	if err != nil {
		return false
	}
	if c.data == nil {
		c.data = map[string]any{}
		if raw := c.published.Content.Data; len(raw) > 0 && json.Unmarshal(raw, &c.data) != nil {
			c.data = map[string]any{} // no object: as good as none
		}
	}
	answer, _, err := program.Eval(map[string]any{
		"title": c.published.Content.Title, "severity": c.published.Severity.String(), "sender": c.published.Sender,
		"topic": string(q.topic), "data": c.data,
	})
	if err != nil {
		return false
	}
	matches, ok := answer.Value().(bool)
	return ok && matches
}
