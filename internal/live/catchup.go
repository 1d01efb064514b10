package live

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
)

const (
	retryPause = 500 * time.Millisecond // after a question that failed
	gapPause   = 200 * time.Millisecond // between looks at a projector that is behind the window
	forever    = time.Duration(math.MaxInt64)
)

// advance brings a follower that has nothing to hand out one step nearer to
// being attached, and says how long to wait before the next.
func (f *Follower) advance(ctx context.Context) (time.Duration, error) {
	if f.reader != nil {
		return forever, nil
	}
	if limit := f.hub.Limits.MaxLag; !f.behind.IsZero() && time.Since(f.behind) > limit {
		if f.failed != nil {
			return 0, f.failed
		}
		return 0, fmt.Errorf("%w: not live again after %s", ErrTooSlow, limit)
	}
	if f.private == nil {
		snapshot, err := f.history(ctx, inbox.Ask{User: f.User, Resume: true, After: f.cursor, Limit: f.hub.Limits.page})
		if err != nil {
			return f.again(ctx, err)
		}
		f.failed = nil
		f.page(snapshot)
		return 0, nil
	}
	if f.join() {
		return 0, nil
	}
	return f.bridge(ctx)
}

// history puts one question to the read model, with a deadline, when it is this
// follower's turn.
func (f *Follower) history(ctx context.Context, ask inbox.Ask) (inbox.Snapshot, error) {
	limited, cancel := context.WithTimeout(ctx, f.hub.Limits.Timeout)
	defer cancel()
	select {
	case f.hub.histories <- struct{}{}:
		defer func() { <-f.hub.histories }()
	case <-limited.Done():
		return inbox.Snapshot{}, unavailable(ctx, "wait to read history", limited.Err())
	}
	snapshot, err := f.hub.History(limited, ask)
	if err == nil && ask.Resume && snapshot.Through < snapshot.Position && snapshot.Through <= ask.After {
		err = fmt.Errorf("nothing was read after %s", ask.After) // would be asked for ever
	}
	if err != nil {
		return inbox.Snapshot{}, unavailable(ctx, "read history", err)
	}
	return snapshot, nil
}

// page takes up an answer of history. With the last page the follower goes on to
// the window at once, while the snapshot is fresh.
func (f *Follower) page(s inbox.Snapshot) {
	for _, e := range s.Entries {
		if e.Position > f.cursor {
			f.push(entryFrame(e))
		}
	}
	f.cursor = max(f.cursor, s.Through)
	f.sure = f.cursor
	if s.Through >= s.Position {
		f.private, f.epoch = newMember(f.User, s), f.hub.currentEpoch()
		f.join()
	}
}

// join folds what the window has beyond what is known of the user, and attaches.
// False means that the window begins later than that. A follower with as much to
// hand out as a queue may hold goes on another time.
func (f *Follower) join() bool {
	for !f.full() {
		rest, ok := f.hub.attach(f)
		if !ok {
			return false
		}
		if f.private == nil || f.ended != nil {
			return true // attached, or in doubt, or over
		}
		for _, e := range rest {
			if f.fold(e); f.full() {
				break
			}
		}
	}
	return true
}

// attach folds what is left of the window for the follower and enters it into the
// maps, all in one step. With more left than should be folded under the lock it
// answers that instead; it is not ok when the window begins too late.
func (h *Hub) attach(f *Follower) (rest []*logged, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.running {
		f.ended = ErrEnded
		return nil, true
	}
	if f.epoch != h.epoch {
		f.doubt()
		return nil, true
	}
	rest, ok = h.window.after(f.private.known)
	if !ok || len(rest) > h.Limits.join {
		return rest, ok
	}
	for _, e := range rest {
		f.fold(e)
	}
	f.cursor = max(f.cursor, h.position) // a hub behind the checkpoint has yet to tell what history has told
	f.reader = newReader(f.cursor, h.Metrics.waiting)
	h.enter(f.private, f.reader)
	f.private, f.behind, f.gap, f.failed = nil, time.Time{}, time.Time{}, nil
	return nil, true
}

// fold takes the next event into what is known of the user, and keeps what it
// tells them.
func (f *Follower) fold(e *logged) {
	switch ev := e.event.(type) {
	case events.SubscriptionEvent:
		if user, _ := subscription(ev); user == f.User {
			f.private.subscribe(ev, e.position)
		}
	case events.PreferencesSet:
		if ev.User == f.User {
			f.private.prefer(ev, e.position)
		}
	default:
		if e.position > f.cursor && f.private.concerns(e) {
			f.withdraw(ev)
			f.push(e.frame(f.User))
		}
	}
	f.private.known = e.position
	f.cursor = max(f.cursor, e.position)
}

// withdraw takes items that are gone by now out of what is still to be told.
func (f *Follower) withdraw(e events.Event) {
	var gone func(*Frame) bool
	switch e := e.(type) {
	case events.Retracted:
		gone = func(item *Frame) bool { return item.item == e.NotificationID }
	case events.ItemsDeleted:
		gone = func(item *Frame) bool { return item.Position <= e.Through || slices.Contains(e.IDs, item.item) }
	default:
		return
	}
	f.pending = slices.DeleteFunc(f.pending, func(frame *Frame) bool {
		return frame.Event == EventMessage && gone(frame)
	})
}

func (f *Follower) push(frame *Frame) {
	f.pending = append(f.pending, frame)
	f.bytes += frame.size()
}

func (f *Follower) full() bool {
	return len(f.pending) >= f.hub.Limits.QueueFrames || f.bytes >= f.hub.Limits.QueueBytes
}

// bridge is for a follower whose history ends before the window begins: a while
// it gives the projector the time to come nearer, then it reads the log itself.
func (f *Follower) bridge(ctx context.Context) (time.Duration, error) {
	if f.gap.IsZero() {
		f.gap = time.Now()
	}
	f.trouble()
	if time.Since(f.gap) < f.hub.Limits.GapWait {
		f.private = nil // ask history again
		return jittered(gapPause), nil
	}
	select {
	case f.hub.logs <- struct{}{}:
		defer func() { <-f.hub.logs }()
		return f.readLog(ctx)
	default: // enough others are reading it
		f.private = nil
		return jittered(gapPause), nil
	}
}

// readLog folds the log until the window is reached, or there is enough to hand
// out, or the time for one question is over.
func (f *Follower) readLog(ctx context.Context) (time.Duration, error) {
	limited, cancel := context.WithTimeout(ctx, f.hub.Limits.Timeout)
	defer cancel()
	from := f.private.known
	skips, err := f.hub.skips(limited)
	if err != nil {
		return f.again(ctx, unavailable(ctx, "read the log", err))
	}
	err = errors.New("the store ended it")
	for msg, failed := range f.hub.Source.Subscribe(limited, from) {
		if err = failed; err != nil {
			break
		}
		at, e, unreadable := skips.read(msg)
		if unreadable != nil {
			return 0, unavailable(ctx, "read the log", unreadable)
		}
		if e != nil {
			f.fold(e)
		}
		f.private.known = max(f.private.known, at)
		if f.full() || f.private.known >= f.hub.begins() {
			return 0, nil
		}
	}
	if f.private.known > from {
		return 0, nil
	}
	return f.again(ctx, unavailable(ctx, "read the log", err))
}

// again bears with a question that failed, for a while.
func (f *Follower) again(ctx context.Context, err error) (time.Duration, error) {
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	f.trouble()
	f.failed = err
	return jittered(retryPause), nil
}

// begins is where the window begins.
func (h *Hub) begins() events.Position {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.window.begins
}
