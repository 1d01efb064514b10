package projections

import (
	"context"
	"time"
)

// running is a version that is being folded.
type running struct {
	inbox *Inbox
	stop  context.CancelFunc
	ended chan struct{}
	pace  pace
}

// drive starts the versions that are to be folded, and stops the others.
func (l *leader) drive(ctx context.Context) error {
	for number, v := range l.versions {
		switch runs := v.run != nil; {
		case l.wants(number) && !l.orders.paused && v.made && !runs:
			v.run = l.start(ctx, v)
		case (!l.wants(number) || l.orders.paused) && runs:
			v.halt()
		}
	}
	return nil
}

func (l *leader) start(ctx context.Context, v *version) *running {
	inbox := l.inbox(v.schema)
	inbox.skips = l.orders.skips
	inbox.silent.Store(!v.serving)
	inbox.born = v.born
	inbox.transform = l.transform[v.number]
	ctx, stop := context.WithCancel(ctx)
	r := &running{inbox: inbox, stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		if err := inbox.Run(ctx); err != nil { // its fields were found usable before
			l.logger.Error("a version cannot be folded", "schema", v.schema, "error", err)
		}
	}()
	return r
}

// halt stops a version and waits until it writes no more.
func (v *version) halt() {
	if v.run == nil {
		return
	}
	v.run.stop()
	<-v.run.ended
	v.run = nil
}

// status is what the version's inbox says of itself.
func (v *version) status() Status {
	if v == nil || v.run == nil {
		return Status{State: StateStopped}
	}
	return v.run.inbox.Status()
}

// current says whether a version has all that was in the log a moment ago.
func (v *version) current() bool {
	return v.run != nil && v.status().State == StateRunning && v.run.inbox.lag.caughtUp()
}

// paceOver is the time over which speed is averaged: a bar that jumps tells nobody
// anything.
const paceOver = 5 * time.Second

// pace is how fast a version is folded.
type pace struct {
	at        time.Time
	folded    int64
	position  uint64
	events    float64 // a second
	positions float64 // a second
}

// observe takes how far folding has come by now.
func (p *pace) observe(now time.Time, folded int64, position uint64) {
	passed := now.Sub(p.at)
	if p.at.IsZero() || passed > time.Minute {
		p.at, p.folded, p.position = now, folded, position
		return
	}
	if passed < time.Millisecond {
		return
	}
	share := min(1, passed.Seconds()/paceOver.Seconds())
	if p.events == 0 {
		share = 1
	}
	p.events += share * (float64(folded-p.folded)/passed.Seconds() - p.events)
	p.positions += share*(float64(position)-float64(p.position))/passed.Seconds() - share*p.positions
	p.at, p.folded, p.position = now, folded, position
}

// left is how many seconds it takes to come to the head; negative: not known.
func (p *pace) left(position, head uint64) float64 {
	switch {
	case position >= head:
		return 0
	case p.positions < 1:
		return -1
	default:
		return float64(head-position) / p.positions
	}
}
