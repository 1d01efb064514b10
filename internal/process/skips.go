package process

import (
	"context"
	"fmt"

	"github.com/tidings-io/tidings/internal/commands"
	"github.com/tidings-io/tidings/internal/events"
)

// skipped are the positions of the events that operators had a projection pass
// over, from their orders to it.
func skipped(store commands.Store, projection string) func(context.Context) ([]events.Position, error) {
	stream := events.ProjectionStream(projection)
	return func(ctx context.Context) (list []events.Position, err error) {
		for stored, err := range store.Read(ctx, stream, 0) {
			if err != nil {
				return nil, fmt.Errorf("read %s: %w", stream, err)
			}
			order, err := events.Decode(stored)
			if err != nil {
				return nil, err
			}
			if skip, ok := order.Event.(events.EventSkipped); ok {
				list = append(list, skip.Position)
			}
		}
		return list, nil
	}
}
