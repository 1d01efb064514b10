package projections

import (
	"context"
	"iter"

	"github.com/tidings-io/tidings/internal/events"
)

// Source is the log, as a projection reads it.
type Source interface {
	// Subscribe yields everything after a position, in order, without gap or
	// repeat, until ctx ends. It outlives the store's going away.
	Subscribe(ctx context.Context, after events.Position) iter.Seq2[events.Message, error]
	// Head is the position of the log's last event, 0 when there is none.
	Head(ctx context.Context) (events.Position, error)
}
