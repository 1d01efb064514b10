package live

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
)

// FollowRequest says whose inbox is followed, and from where.
type FollowRequest struct {
	User events.User
	// LastEventID is what the reader was told last: a position, "earliest" for the
	// log's beginning, or "" for none.
	LastEventID string
	// Newest asks for that many of the newest items first, where there is no
	// LastEventID.
	Newest int
}

// Earliest is the LastEventID that stands for the beginning of the log.
const Earliest = "earliest"

// Why a follower was not taken up where it asked.
const (
	ResetNoPosition = "the id is not a position of the log"
	ResetAboveHead  = "the id is above the head of the log"
)

// Follower is one reader of one user's inbox. It is used by one goroutine.
type Follower struct {
	// User is whose inbox it follows.
	User events.User
	// Position is where it continues from: what comes next is above it, and a
	// reader that comes back with it loses nothing.
	Position events.Position
	// Reset, if not "", is why the LastEventID could not be taken up: the follower
	// is live from Position and the reader should load its inbox anew.
	Reset string

	hub     *Hub
	cursor  events.Position // everything up to here was handed out, or is in pending, or is not for this user
	sure    events.Position // the same, whatever the hub may have to forget: by history, or handed out
	epoch   int             // of the hub's, when private was made
	pending []*Frame        // the next to hand out
	bytes   int             // of pending

	// One of these three: reading history, folding the window, attached.
	private *member // the user as of private.known, while folding the window
	reader  *reader // while attached
	// else history is next.

	behind time.Time // since when the follower has been in trouble; zero: it is not
	gap    time.Time // since when its history has ended before the window begins; zero: it does not
	failed error     // what the trouble is, if it is not slowness
	ended  error
	timer  *time.Timer
}

// Follow begins to follow an inbox. The error is ErrUnavailable, or ctx's. The
// follower must be closed.
func (h *Hub) Follow(ctx context.Context, req FollowRequest) (*Follower, error) {
	h.init()
	if err := h.admit(); err != nil {
		return nil, err
	}
	f := &Follower{User: req.User, hub: h}
	if err := f.begin(ctx, req); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Dropped tells the metrics why the reader is let go. It is called once at most.
func (f *Follower) Dropped(why Reason) {
	f.hub.Metrics.dropped.WithLabelValues(string(why)).Inc()
}

// Close takes the follower out of the hub.
func (f *Follower) Close() {
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	if f.reader != nil {
		f.hub.detach(f.reader)
		f.reader.leave()
	}
	f.hub.readers--
	f.hub.Metrics.connections.Dec()
	if f.timer != nil {
		f.timer.Stop()
	}
}

// Next waits for the next frames, oldest first. After that much silence it
// answers none, so that the caller can show that it is alive; a question in
// flight may lengthen the silence by its deadline. The slice is good until the
// next call. The error is ErrUnavailable, ErrTooSlow, ErrEnded or ctx's.
func (f *Follower) Next(ctx context.Context, silence time.Duration) ([]*Frame, error) {
	until := time.Now().Add(silence)
	for {
		f.collect()
		if frames := f.release(); len(frames) > 0 {
			return frames, nil
		}
		if f.ended != nil {
			return nil, f.ended
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !time.Now().Before(until) {
			return nil, nil
		}
		wait, err := f.advance(ctx)
		if err != nil {
			return nil, err
		}
		f.wait(ctx, min(wait, time.Until(until)))
	}
}

// Rest is what waits already, without waiting: the last frames of a stream that
// is about to end.
func (f *Follower) Rest() []*Frame {
	f.collect()
	return f.release()
}

// Written tells the metrics that frames have reached their reader.
func (f *Follower) Written(frames []*Frame) {
	now := time.Now()
	for _, frame := range frames {
		f.hub.Metrics.told(frame, now)
	}
}

// admit counts a reader in.
func (h *Hub) admit() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.ready(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if h.readers >= h.Limits.Readers {
		return fmt.Errorf("%w: %d readers are connected, as many as are allowed", ErrUnavailable, h.readers)
	}
	h.readers++
	h.Metrics.connections.Inc()
	return nil
}

// begin decides where the follower starts, from its first snapshot.
func (f *Follower) begin(ctx context.Context, req FollowRequest) error {
	after, resume, err := f.resume(ctx, req.LastEventID)
	if err != nil {
		return err
	}
	at := f.hub.Position()
	ask := inbox.Ask{User: f.User, Resume: resume, After: after, Limit: f.hub.Limits.page}
	if !resume && f.Reset == "" {
		ask.Newest = req.Newest
	}
	f.cursor = after
	snapshot, err := f.history(ctx, ask)
	if err != nil {
		return err
	}
	if !resume && ask.Newest == 0 {
		f.cursor = max(at, snapshot.Position) // a hub behind the checkpoint would tell it old things
	}
	f.Position = f.cursor
	if !resume {
		snapshot.Through = snapshot.Position // all that was asked for is there
	}
	f.page(snapshot)
	if ask.Newest > 0 {
		f.Position = snapshot.Position
		if len(f.pending) > 0 {
			f.Position = f.pending[0].Position - 1
		}
	}
	return nil
}

// resume is the position a LastEventID names, if it can be taken up.
func (f *Follower) resume(ctx context.Context, id string) (after events.Position, ok bool, err error) {
	switch id {
	case "":
		return 0, false, nil
	case Earliest:
		return 0, true, nil
	}
	after, err = events.ParsePosition(id)
	if err != nil {
		f.Reset = ResetNoPosition
		return 0, false, nil //nolint:nilerr // told to the reader as a reset
	}
	if after <= f.hub.Position() {
		return after, true, nil
	}
	head, err := f.hub.ask(ctx, f.hub.Source.Head)
	if err != nil {
		return 0, false, unavailable(ctx, "ask for the head of the log", err)
	}
	if after > max(head, f.hub.Position()) {
		f.Reset = ResetAboveHead
		return 0, false, nil
	}
	return after, true, nil
}

// collect moves what the hub has queued to pending.
func (f *Follower) collect() {
	if f.reader == nil {
		return
	}
	had := len(f.pending)
	frames, lost, ended := f.reader.take(f.pending)
	f.pending = frames
	if len(frames) > had {
		f.cursor = frames[len(frames)-1].Position
	}
	switch lost { // the hub has taken the reader out of its maps
	case notLost:
	case overflowed:
		f.reader = nil
		f.trouble()
	case doubtful:
		f.reader = nil
		f.doubt()
	}
	f.ended = ended
}

// release hands out what is pending and has not expired.
func (f *Follower) release() []*Frame {
	if len(f.pending) > 0 {
		f.sure = max(f.sure, f.pending[len(f.pending)-1].Position)
	}
	now := time.Now()
	frames := slices.DeleteFunc(f.pending, func(frame *Frame) bool { return frame.expired(now) })
	f.pending, f.bytes = frames[:0], 0
	return frames
}

// trouble notes that the follower is not live though it should be.
func (f *Follower) trouble() {
	if f.behind.IsZero() {
		f.behind = time.Now()
	}
}

// wait until the hub queued something, or the time is over.
func (f *Follower) wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	var wake <-chan struct{}
	if f.reader != nil {
		wake = f.reader.wake
		select {
		case <-wake:
			return
		default:
			f.reader.rest()
		}
	}
	f.pending = nil // a reader at rest holds on to nothing
	if f.timer == nil {
		f.timer = time.NewTimer(d)
	} else {
		f.timer.Reset(d)
	}
	select {
	case <-ctx.Done():
	case <-wake:
	case <-f.timer.C:
	}
	f.timer.Stop()
}

// unavailable wraps what kept a follower from being served, unless it is that
// the caller went away.
func unavailable(ctx context.Context, doing string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, doing, err)
}
