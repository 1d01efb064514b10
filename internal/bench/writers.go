package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// warmUp lets connections, caches and the garbage collector settle before anything counts.
const warmUp = time.Second

// write has writers call one again and again, each after the call before has returned, and answers how many calls a second were
// answered in the span after the warm-up.
func write(ctx context.Context, writers int, span time.Duration, one func(context.Context) error) (perSecond float64, err error) {
	var (
		wg   sync.WaitGroup
		done atomic.Int64
		stop atomic.Bool
		bad  atomic.Pointer[error]
	)
	for range writers {
		wg.Go(func() {
			for !stop.Load() {
				if err := one(ctx); err != nil {
					bad.CompareAndSwap(nil, &err)
					return
				}
				done.Add(1)
			}
		})
	}
	err = pause(ctx, warmUp)
	before, began := done.Load(), time.Now()
	if err == nil {
		err = pause(ctx, span)
	}
	after, took := done.Load(), time.Since(began)
	stop.Store(true)
	wg.Wait()
	if failed := bad.Load(); failed != nil {
		return 0, *failed
	}
	return float64(after-before) / took.Seconds(), err
}

// pause waits, or fails with ctx's error.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
