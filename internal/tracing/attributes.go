package tracing

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/tidings-io/tidings/internal/events"
)

// Stream says which stream a span is about, without naming a user or a topic: of a stream
// that is named after one only its category.
func Stream(name events.StreamName) attribute.KeyValue {
	category, _, _ := strings.Cut(string(name), "-")
	switch category {
	case "notification", "batch", "key", "projection", "store":
		return attribute.String("tidings.stream", string(name))
	default:
		return attribute.String("tidings.stream", category)
	}
}

// Position is where in the log something is. Text, as everywhere outside: 64 bits.
func Position(at events.Position) attribute.KeyValue {
	return attribute.String("tidings.position", at.String())
}
