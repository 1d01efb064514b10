package events

import (
	"errors"
	"fmt"
	"unicode/utf16"

	"github.com/google/uuid"
)

// MaxAppendBytes is what EventStoreDB allows one append by default. Every store
// keeps it, so that what passes in one passes in all.
const MaxAppendBytes = 1 << 20

// Size is what the store counts for the event: data, metadata, and the type as
// it holds it in memory, in UTF-16.
func (p Proposed) Size() int {
	size := len(p.Data) + len(p.Metadata)
	for _, r := range p.Type {
		size += 2 * utf16.RuneLen(r)
	}
	return size
}

// CheckAppend refuses what no store could append, whatever it holds: a stream or
// an event without a name, no event at all, or, with ErrTooLarge, too many bytes.
func CheckAppend(stream StreamName, evs []Proposed) error {
	size := 0
	for _, e := range evs {
		if e.ID == uuid.Nil || e.Type == "" {
			return fmt.Errorf("an event needs an id and a type, not %s and %q", e.ID, e.Type)
		}
		size += e.Size()
	}
	switch {
	case stream == "" || stream == "$$":
		return fmt.Errorf("%q is not the name of a stream", stream)
	case len(evs) == 0:
		return errors.New("there is no event to append")
	case size > MaxAppendBytes:
		return fmt.Errorf("%w: %d bytes", ErrTooLarge, size)
	}
	return nil
}
