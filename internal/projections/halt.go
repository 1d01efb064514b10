package projections

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// halt says visibly that nothing more can be applied, and stays so until ctx or
// the connection ends. It keeps the lock: another runner would come no further.
func (p *Inbox) halt(ctx context.Context, conn *pgx.Conn, why *unappliable) error {
	p.enter(StateHalted, why.Error())
	p.logger.Error("the projection is halted", "position", why.at, "error", why.err)
	at := int64(why.at) //nolint:gosec // at most MaxPosition
	if err := exec(ctx, conn, sqlCheckpointHalt, inboxName, at, text(why.err.Error())); err != nil {
		return fmt.Errorf("write down that the projection is halted: %w", err)
	}
	for sleep(ctx, idleEvery) {
		if err := exec(ctx, conn, "select"); err != nil {
			return fmt.Errorf("see whether Postgres is there: %w", err)
		}
	}
	return ctx.Err()
}
