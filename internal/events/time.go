package events

import (
	"errors"
	"regexp"
	"time"
)

// rfc3339 is the form that clients may write. Go's own parser takes more: hours of one
// digit, a comma before the fraction, offsets of a day and above.
var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// ParseTime reads an RFC 3339 time; the result is in UTC.
func ParseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || !rfc3339.MatchString(s) {
		return time.Time{}, errors.New("a time is written as RFC 3339 has it") // what Go says repeats all of it
	}
	return t.UTC(), nil
}
