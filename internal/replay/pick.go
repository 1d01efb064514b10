package replay

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Pick says which events of a log are meant; an empty field asks nothing.
type Pick struct {
	After uint64 // above this position
	Until uint64 // at or below this one
	From  time.Time
	To    time.Time // exclusive

	User, Topic, Category, Type, Stream, CorrelationID string
}

// query is the pick in the words of the API, but for After and Until.
func (p Pick) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{
		"user": p.User, "topic": p.Topic, "category": p.Category, "type": p.Type, "stream": p.Stream,
		"correlation_id": p.CorrelationID, "from": timeText(p.From), "to": timeText(p.To),
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// Kind is the pick without its ends, as text: the same for runs of which one goes on where the other stopped.
func (p Pick) Kind() string {
	p.To, p.Until = time.Time{}, 0
	q := p.query()
	if p.After > 0 {
		q.Set("after", strconv.FormatUint(p.After, 10))
	}
	return q.Encode()
}

// match says whether the pick means an event, as far as can be told without knowing what types of events say: user and
// topic are not looked at.
func (p Pick) match(e *Event) bool {
	category, _, _ := strings.Cut(e.Stream, "-")
	return e.Position > p.After &&
		(p.From.IsZero() || !e.At.Before(p.From)) && (p.To.IsZero() || e.At.Before(p.To)) &&
		(p.Category == "" || category == p.Category) && (p.Type == "" || e.Type == p.Type) &&
		(p.Stream == "" || e.Stream == p.Stream) &&
		(p.CorrelationID == "" || e.Metadata.CorrelationID == p.CorrelationID)
}
