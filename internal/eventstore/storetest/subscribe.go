package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/tidings-io/tidings/internal/events"
)

// reading checks a subscription's messages as they come and keeps the stage's
// own events.
type reading struct {
	stage
	through  events.Position // everything up to here has been considered
	last     events.Position // of the last event seen, of anyone
	mine     []events.Stored
	caughtUp bool
}

func (r *reading) take(m events.Message) error {
	switch {
	case m.Event != nil && m.Checkpoint == 0 && !m.CaughtUp:
		if m.Event.Position <= r.through {
			return fmt.Errorf("event at %s after %s had been considered", m.Event.Position, r.through)
		}
		if !(events.Filter{}).Match(*m.Event) {
			return fmt.Errorf("an event of the store itself: %s", m.Event.Type)
		}
		r.through, r.last = m.Event.Position, m.Event.Position
		if m.Event.Stream.Category() == r.category {
			r.mine = append(r.mine, *m.Event)
		}
	case m.Event == nil && m.Checkpoint != 0 && !m.CaughtUp:
		if m.Checkpoint < r.through || m.Checkpoint > events.MaxPosition {
			return fmt.Errorf("checkpoint %d after %s had been considered", m.Checkpoint, r.through)
		}
		r.through = m.Checkpoint
	case m.Event == nil && m.Checkpoint == 0 && m.CaughtUp:
		r.caughtUp = true
	default:
		return fmt.Errorf("a message of several kinds, or of none: %+v", m)
	}
	return nil
}

// until follows from a position until enough says so, and fails when the
// subscription ends before.
func (s stage) until(after events.Position, enough func(*reading) bool) *reading {
	s.t.Helper()
	r := &reading{stage: s, through: after}
	for m, err := range s.Subscribe(s.ctx, after) {
		if err != nil {
			s.t.Fatalf("follow from %s, after %d events: %v", after, len(r.mine), err)
		}
		if err := r.take(m); err != nil {
			s.t.Fatalf("follow from %s: %v", after, err)
		}
		if enough(r) {
			return r
		}
	}
	s.t.Fatalf("follow from %s: ended without an error", after)
	return nil
}

func testSubscribe(t *testing.T, store Store) {
	for name, test := range map[string]struct {
		after   func(s stage, before, middle, last events.Position) events.Position
		history string
	}{
		"from the start of the log": {
			func(stage, events.Position, events.Position, events.Position) events.Position { return 0 }, "abcde",
		},
		"from before the first": {
			func(_ stage, before, _, _ events.Position) events.Position { return before }, "abcde",
		},
		"from the middle, exclusive": {
			func(_ stage, _, middle, _ events.Position) events.Position { return middle }, "de",
		},
		"from the last": {
			func(_ stage, _, _, last events.Position) events.Position { return last }, "",
		},
		"from the head": {
			func(s stage, _, _, _ events.Position) events.Position { return s.head() }, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, store)
			stream, own := s.stream("s"), s.event("own")
			own.Type = "$own"
			before := s.head()
			s.append(stream, events.NoStream(), "ab")
			middle := s.append(stream, events.Any(), "c").Position
			if _, err := s.Append(s.ctx, stream, events.Any(), own); err != nil {
				t.Fatalf("append: %v", err)
			}
			last := s.append(stream, events.Any(), "de").Position
			after := test.after(s, before, middle, last)
			if after == 0 {
				s.needsShortHistory(t)
			}

			asked := false
			r := s.until(after, func(r *reading) bool {
				if r.caughtUp && !asked {
					asked = true
					equal(t, "history", len(r.mine), len(test.history))
					s.append(stream, events.Any(), "f")
					if _, err := s.Append(s.ctx, stream, events.Any(), s.event("own again"), own); err != nil {
						t.Fatalf("append: %v", err)
					}
					s.append(stream, events.Any(), "gh")
				}
				return len(r.mine) == len(test.history)+4
			})
			equal(t, "what came", r.mine, s.mine(after))
		})
	}
	t.Run("resumed from every message", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, store)
		before := s.head()
		s.append(s.stream("s"), events.NoStream(), "abcdefgh")
		var throughs []events.Position
		s.until(before, func(r *reading) bool {
			throughs = append(throughs, r.through)
			return r.caughtUp && len(r.mine) == 8
		})
		for _, through := range throughs {
			want := s.mine(through)
			got := s.until(through, func(r *reading) bool { return r.caughtUp })
			equal(t, "resumed after "+through.String(), got.mine, want)
		}
	})
}

// testSubscribeTo follows two categories of three, one of which begins as another
// does.
func testSubscribeTo(t *testing.T, store Store) {
	s := newStage(t, store)
	other, longer := s.category+"other", s.category+"x"
	before := s.head()
	write := func(letters string) {
		for _, category := range []string{s.category, other, longer} {
			s.append(events.StreamName(category+"-s"), events.Any(), letters)
		}
	}
	write("ab")
	var got []string
	asked, through := false, before
	for m, err := range s.SubscribeTo(s.ctx, before, s.category, other) {
		if err != nil {
			t.Fatalf("follow: %v", err)
		}
		switch {
		case m.CaughtUp && !asked:
			asked = true
			write("c")
		case m.Event != nil:
			got = append(got, string(m.Event.Stream))
			fallthrough
		case !m.CaughtUp:
			at := m.Checkpoint
			if m.Event != nil {
				at = m.Event.Position
			}
			if at <= through {
				t.Errorf("a message through %s came after one through %s", at, through)
			}
			through = at
		}
		if len(got) == 6 {
			break
		}
	}
	equal(t, "the streams followed", got, []string{
		s.category + "-s", s.category + "-s", other + "-s", other + "-s", s.category + "-s", other + "-s",
	})
}

func testSubscribeEnds(t *testing.T, store Store) {
	s := newStage(t, store)
	ctx, cancel := context.WithCancel(s.ctx)
	var got error
	for m, err := range s.Subscribe(ctx, s.head()) {
		if got != nil {
			t.Fatalf("something came after the error: %+v, %v", m, err)
		}
		if got = err; m.CaughtUp {
			cancel() // while the subscription waits for more
		}
	}
	cancel()
	if !errors.Is(got, context.Canceled) {
		t.Errorf("the last error: got %v, want %v", got, context.Canceled)
	}
}
