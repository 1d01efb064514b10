package live

import (
	"sync"
	"time"
)

// What the hub's loop and its lock are called where they are said to be stuck.
const (
	loopName = "live"
	lockName = "live lock"
)

// lockEvery is how often the lock is tried: far more often than anybody is judged.
const lockEvery = time.Second

// watchLock takes the lock now and then, until stop, which waits for it to end: one
// that is held for ever stops every reader, also while no event comes that would
// have the loop ask for it.
func (h *Hub) watchLock() (stop func()) {
	ended := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		p := h.Loops.Begin(lockName)
		defer h.Loops.End(lockName, p)
		tick := time.NewTicker(lockEvery)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
			}
			p.Beat()
			_ = h.Position() // under the lock
			p.Rest()
		}
	})
	return func() {
		close(ended)
		watch.Wait()
	}
}
