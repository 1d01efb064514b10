package httpapi

import (
	"slices"

	"github.com/tidings-io/tidings/internal/events"
)

// names says whether an event outside the streams of a user or a topic is about one.
// What only a newer program can read is about nobody.
func names(s events.Stored, target events.Target) bool {
	switch s.Stream.Category() {
	case events.CategoryNotification, events.CategoryBatch, events.CategoryKey:
	default:
		return false
	}
	recorded, err := events.Decode(s)
	if err != nil {
		return false
	}
	switch e := recorded.Event.(type) {
	case events.Published:
		return slices.Contains(e.To, target)
	case events.Retracted:
		return slices.Contains(e.To, target)
	case events.KeyCreated: // whose key it is
		return target.User != "" && e.Subject == string(target.User)
	default:
		return false
	}
}
