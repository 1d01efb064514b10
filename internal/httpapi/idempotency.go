package httpapi

import (
	"net/http"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
)

const maxKeyRunes = 255

// key is what a request says of being a repeat.
type key struct {
	text  string
	given bool
}

// key reads the header Idempotency-Key.
func (f *fields) key(r *http.Request) key {
	const name = "Idempotency-Key"
	values := r.Header.Values(name)
	switch {
	case len(values) == 0:
		return key{}
	case len(values) > 1:
		f.flaw(name, "is given more than once")
	case values[0] == "":
		f.flaw(name, "is empty: leave it out or give 1 to %d characters", maxKeyRunes)
	case utf8.RuneCountInString(values[0]) > maxKeyRunes:
		f.flaw(name, "has at most %d characters", maxKeyRunes)
	}
	return key{text: values[0], given: true}
}

// commandID is what the key makes of a request, by subject and route; a random
// id where there is no key.
func (a *api) commandID(r *http.Request, route string, k key) uuid.UUID {
	if !k.given {
		return a.newID()
	}
	return events.KeyedID(subject(r), route, k.text)
}
