package queries

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/tidings-io/tidings/internal/events"
)

// forEver is above every position there can be.
const forEver = events.MaxPosition + 1

// list is the kind of list a cursor belongs to.
type list string

const (
	inboxList         list = "i"
	subscriptionsList list = "s"
	topicsList        list = "t"
	subscribersList   list = "u"
)

// cursor is opaque text that continues a list after its last entry.
func (l list) cursor(last string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(string(l) + last))
}

// last is the entry a cursor continues after: "" for the list's beginning.
func (l list) last(cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	text, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil {
		return "", ErrBadCursor
	}
	last, ok := strings.CutPrefix(string(text), string(l))
	// What Postgres would not take as text was never in a row, and the decoder passes
	// over line ends, which no cursor of ours has.
	if !ok || last == "" || !utf8.ValidString(last) || strings.ContainsRune(last, 0) || l.cursor(last) != cursor {
		return "", ErrBadCursor
	}
	return last, nil
}

// lastPosition is the position a cursor continues below: "for ever" for the
// list's beginning.
func (l list) lastPosition(cursor string) (events.Position, error) {
	last, err := l.last(cursor)
	if err != nil || last == "" {
		return forEver, err
	}
	p, err := events.ParsePosition(last)
	if err != nil {
		return 0, ErrBadCursor
	}
	return p, nil
}
