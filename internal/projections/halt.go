package projections

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// ordersEvery is how often orders are looked for: soon, for whoever gave one.
const ordersEvery = 200 * time.Millisecond

// halt says visibly that nothing more can be applied, and stays so until ctx or
// the connection ends, or until an operator has the event skipped: then it returns
// nil. It keeps the lock: another runner would come no further.
func (p *Inbox) halt(ctx context.Context, conn *pgx.Conn, why *unappliable) error {
	p.enterHalt(why)
	p.logger.With(why.keys()...).Error("the projection is halted", "error", why.err)
	p.lag.behind(why.since)
	if why.event != nil {
		p.lag.heard(why.at) // the log reaches at least so far
	}
	at := int64(why.at) //nolint:gosec // at most MaxPosition
	if err := exec(ctx, conn, sqlCheckpointHalt, inboxName, at, text(why.reason())); err != nil {
		return fmt.Errorf("write down that the projection is halted: %w", err)
	}
	asked := time.Now()
	for sleep(ctx, ordersEvery) {
		if why.event != nil && p.skips(why.at) {
			p.logger.With(why.keys()...).Warn("an event is skipped by order")
			return nil
		}
		if time.Since(asked) < idleEvery {
			continue
		}
		asked = time.Now()
		if err := alive(ctx, conn); err != nil {
			return err
		}
	}
	return ctx.Err()
}
