package replay

import (
	"context"
	"fmt"
	"time"

	"github.com/tidings-io/tidings/internal/workload"
)

// pace lets events pass as far apart as they were recorded, divided by speed; 0 lets them pass at once.
type pace struct {
	speed  float64
	notice func(string)

	first time.Time // recorded, of the first event
	began time.Time // when that passed
}

// longGap is a wait that would look like a hang to whoever watches.
const longGap = 10 * time.Second

// wait returns when an event is due.
func (p *pace) wait(ctx context.Context, e *Event) error {
	if p.speed == 0 {
		return nil
	}
	if p.first.IsZero() {
		p.first, p.began = e.At, time.Now()
		return nil
	}
	gap := time.Until(p.began.Add(time.Duration(float64(e.At.Sub(p.first)) / p.speed)))
	if gap <= 0 {
		return nil
	}
	if gap > longGap && p.notice != nil {
		p.notice(fmt.Sprintf("the next event, of %s, is due in %s", e.At.Format(time.RFC3339), gap.Round(time.Second)))
	}
	return workload.Pause(ctx, gap)
}
