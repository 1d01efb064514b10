package httpapi

import (
	"time"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/queries"
)

// beforeAll is a time before every event, for the position 0: queries take the zero
// AsOf to mean now.
var beforeAll = queries.AsOf{Time: time.Unix(0, 0).UTC()}

// asOf reads what the answer is to be of: a position or a time; now when it is
// absent.
func (q *ask) asOf() queries.AsOf {
	q.past = true
	text := q.values.Get("as_of")
	if !q.values.Has("as_of") {
		return queries.AsOf{}
	}
	if at, err := events.ParsePosition(text); err == nil {
		if at == 0 {
			return beforeAll
		}
		return queries.AsOf{Position: at}
	}
	at, err := events.ParseTime(text)
	switch {
	case err != nil:
		q.flaw("as_of", "is a position, or an RFC 3339 time such as 2026-01-31T12:00:00Z; a + in it is written %%2B")
	case !inYears(at):
		q.flaw("as_of", "lies outside the years 1970 to 9999")
	}
	return queries.AsOf{Time: at}
}

// inYears says whether a time can be one of the log.
func inYears(at time.Time) bool { return at.Year() >= 1970 && at.Year() <= 9999 }

// flag reads a parameter that is true or false; false when it is absent.
func (q *ask) flag(name string) bool {
	text := q.values.Get(name)
	if text != "" && text != "true" && text != "false" {
		q.flaw(name, "is true or false")
	}
	return text == "true"
}
