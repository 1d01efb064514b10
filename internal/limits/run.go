package limits

import (
	"context"
	"time"
)

const (
	// every is how often instances exchange.
	every = time.Second
	// hurried is how often they do while a bucket is short of what the others' not having heard of
	// it keeps from it, or when a flood has changed: one that moves is followed in about a second.
	hurried = 250 * time.Millisecond
	// deadline of an exchange: a database that hangs is as good as away.
	deadline = 900 * time.Millisecond
)

// Run exchanges with the other instances every second until ctx ends, and then returns nil after
// it has told them that this one is gone; it may be run again. It goes on when the exchange does
// not work, and again when it does.
func (l *Limiter) Run(ctx context.Context) error {
	ticker := time.NewTicker(hurried)
	defer ticker.Stop()
	defer l.leave(ctx)
	last, again := time.Time{}, false
	for {
		began := time.Now()
		due := began.Sub(last) > every-hurried/2 // the tick that is nearest to a second
		hurry := l.hurries()
		if due || hurry || again {
			// Again after a hurry, for whoever tells something just after that: it would have to
			// wait a second to be heard.
			last, again = began, hurry
			l.exchange(ctx)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// hurries tells whether an exchange before its time would bring somebody more.
func (l *Limiter) hurries() bool {
	refused := l.hurry.Swap(false)
	return !l.peers.away && l.peers.instances > 1 && (refused || l.turned())
}

// exchange is one round trip.
func (l *Limiter) exchange(ctx context.Context) {
	if l.peers.exchange == nil {
		l.sweep()
		l.quotas.settle(nil, nil, 1)
		l.metrics.instances.Set(1)
		return
	}
	report, found := l.report()
	news, err := l.swap(ctx, report)
	if err != nil {
		l.lost(ctx, err)
		return
	}
	l.found(ctx)
	l.learn(news, found)
	l.quotas.settle(report.Spent, news.Spent, l.peers.instances)
	l.metrics.instances.Set(float64(l.peers.instances))
}

// swap is not cut short by the end of ctx: nobody would know whether the report was written, and
// it might be after the instance has left.
func (l *Limiter) swap(ctx context.Context, r Report) (News, error) {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), deadline)
	defer cancel()
	return l.peers.exchange.Swap(limited, r)
}

func (l *Limiter) lost(ctx context.Context, err error) {
	l.metrics.failures.Inc()
	l.forget()
	l.quotas.lost()
	if !l.peers.away {
		l.peers.away = true
		l.logger.WarnContext(ctx, "the limits are not exchanged: each instance keeps to its part",
			"error", err, "instances", l.peers.instances)
	}
}

func (l *Limiter) found(ctx context.Context) {
	if l.peers.away {
		l.peers.away = false
		l.logger.InfoContext(ctx, "the limits are exchanged again")
	}
}

// leave adds what was spent last and takes the report back. What does not succeed is lost: a
// second's spending, and the others wait until the report is old.
func (l *Limiter) leave(ctx context.Context) {
	l.forget()
	if l.peers.exchange == nil {
		return
	}
	report := Report{Instance: l.peers.instance, Busy: map[Name]float64{}, Spent: l.quotas.report()}
	news, err := l.swap(ctx, report)
	if err == nil {
		l.quotas.settle(report.Spent, news.Spent, l.peers.instances)
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), deadline)
		defer cancel()
		err = l.peers.exchange.Leave(limited, l.peers.instance)
	}
	if err != nil {
		l.logger.WarnContext(ctx, "the limits' last exchange did not succeed", "error", err)
	}
}
