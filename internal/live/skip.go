package live

import (
	"context"
	"fmt"
	"time"

	"github.com/tidings-io/tidings/internal/events"
)

// projection is the name of the one whose tables history is read from.
const projection = "inbox"

// skips are the positions of events that every reader of the log passes over.
type skips map[events.Position]bool

// skips asks which events were skipped; nil where nobody can be asked.
func (h *Hub) skips(ctx context.Context) (skips, error) {
	if h.Skipped == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, h.Limits.Timeout)
	defer cancel()
	list, err := h.Skipped(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask which events were skipped: %w", err)
	}
	all := make(skips, len(list))
	for _, at := range list {
		all[at] = true
	}
	return all, nil
}

// read reads a message; of an event that was skipped only its position is left.
func (s skips) read(msg events.Message) (events.Position, *logged, error) {
	if msg.Event != nil && s[msg.Event.Position] {
		return msg.Event.Position, nil, nil
	}
	return read(msg)
}

// unreadable is an event nobody can judge.
type unreadable struct {
	at       events.Position
	stream   events.StreamName
	revision events.Revision
	kind     string
	err      error
}

func (u *unreadable) Error() string { return "live cannot go on: " + u.err.Error() }
func (u *unreadable) Unwrap() error { return u.err }

// await returns when an event that cannot be read was skipped, or ctx has ended;
// until then the hub is halted.
func (h *Hub) await(ctx context.Context, u *unreadable) {
	for halted := false; ctx.Err() == nil; pause(ctx, time.Second) {
		all, err := h.skips(ctx)
		if err != nil {
			h.Logger.Warn("live cannot learn whether the event was skipped", "error", err, "position", u.at)
		}
		switch {
		case all[u.at] && halted:
			h.begin(h.Position()) // and passes over it, as it knows of it now
			return
		case all[u.at]:
			return
		case !halted && ctx.Err() == nil:
			h.halt(u)
			halted = true
		}
	}
}

func (h *Hub) halt(u *unreadable) {
	h.Logger.Error("live is halted", "position", u.at, "stream", u.stream, "revision", u.revision, "type", u.kind, "error", u.err)
	h.Metrics.halted.Set(1)
	h.end(fmt.Errorf("%w: %w", ErrEnded, u))
	h.mu.Lock()
	defer h.mu.Unlock()
	h.halted = u
}

// unfold is for an event that was skipped after the hub had folded it: whatever
// followed from it is not so in the read model. The hub forgets all it knows, and
// every reader catches up from history, from the last it is sure of. mu must be
// held.
func (h *Hub) unfold(at events.Position, e events.EventSkipped) {
	if h.passed[e.Position] {
		return
	}
	h.Logger.Info("an event was skipped that live had folded; all readers catch up", "position", at, "skipped", e.Position)
	h.epoch++
	h.window = window{maxEvents: h.Limits.WindowEvents, maxBytes: h.Limits.WindowBytes, begins: at}
	for _, m := range h.members {
		for _, r := range m.readers {
			r.member = nil
			r.doubt()
		}
	}
	clear(h.members)
	clear(h.topics)
}

func (h *Hub) currentEpoch() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.epoch
}

// doubt goes back to what is sure without what the hub had folded.
func (f *Follower) doubt() {
	f.private, f.cursor = nil, f.sure
	kept := f.pending[:0]
	f.bytes = 0
	for _, frame := range f.pending {
		if frame.Position <= f.sure {
			kept = append(kept, frame)
			f.bytes += frame.size()
		}
	}
	f.pending = kept
	f.trouble()
}
