package events

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// Position is a place in the log, over all streams. Positions grow strictly
// with time and have gaps; 0 is before the first event. In JSON a position is a
// decimal string, because JavaScript would round a 64-bit number.
type Position uint64

// Revision is an event's place in its own stream, counted from 0.
type Revision uint64

// MaxPosition is the largest position a log may issue (2^63 - 2), so that
// positions fit a Postgres bigint with one value left for "for ever".
const MaxPosition Position = 1<<63 - 2

// ParsePosition reads a decimal position. Signs, spaces, leading zeros (but for
// "0" itself) and anything above MaxPosition are refused.
func ParsePosition(s string) (Position, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > uint64(MaxPosition) || strconv.FormatUint(n, 10) != s {
		return 0, fmt.Errorf("%.64q is not a log position", s) // no more than this of what may be very long
	}
	return Position(n), nil
}

// String is the decimal form.
func (p Position) String() string { return strconv.FormatUint(uint64(p), 10) }

// MarshalJSON writes the decimal form as a string.
func (p Position) MarshalJSON() ([]byte, error) {
	return []byte(`"` + p.String() + `"`), nil
}

// UnmarshalJSON reads the decimal string MarshalJSON writes.
func (p *Position) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("position: %w", err)
	}
	parsed, err := ParsePosition(s)
	if err != nil {
		return err
	}
	*p = parsed
	return nil
}
