package filter

import (
	"fmt"
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
		verdict, _ = c.judge(q)
		if c.verdicts == nil {
			c.verdicts = map[question]bool{}
		}
		c.verdicts[q] = verdict
	}
	return verdict
}

// Explain answers as Matches does; where the filter could not be evaluated, which
// is as good as no match, the error says why.
func (c *Candidate) Explain(filter string, topic events.Topic) (bool, error) {
	if err := Check(filter); err != nil || filter == "" {
		return err == nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.judge(question{filter, topic})
}

// judge needs mu.
func (c *Candidate) judge(q question) (bool, error) {
	program, err := programOf(q.filter)
	if err != nil {
		return false, err
	}
	if c.data == nil {
		c.data = members(c.published.Content.Data)
	}
	answer, _, err := program.Eval(map[string]any{
		"title": c.published.Content.Title, "severity": c.published.Severity.String(), "sender": c.published.Sender,
		"topic": string(q.topic), "data": c.data,
	})
	if err != nil {
		return false, fmt.Errorf("evaluate the filter: %w", err)
	}
	matches, ok := answer.Value().(bool)
	if !ok {
		return false, fmt.Errorf("the filter gave %s and neither true nor false", answer.Type().TypeName())
	}
	return matches, nil
}
