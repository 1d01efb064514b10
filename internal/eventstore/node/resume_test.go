package node_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"pgregory.net/rapid"
)

// picking is a filter by some prefixes of the type or the stream, as prefixes or as a pattern.
type picking struct {
	prefixes          []string
	byStream, regex   bool
	window, intervals uint32
}

func drawPicking(r *rapid.T, run string) picking {
	some := rapid.SampledFrom([][]string{{"a"}, {"b"}, {"a", "b"}, {"ab"}, {"none"}}).Draw(r, "prefixes")
	p := picking{
		byStream: rapid.Bool().Draw(r, "by stream"), regex: rapid.Bool().Draw(r, "regex"),
		window: rapid.Uint32Range(0, 5).Draw(r, "window"), intervals: rapid.Uint32Range(1, 3).Draw(r, "intervals"),
	}
	for _, prefix := range some {
		p.prefixes = append(p.prefixes, run+prefix)
	}
	return p
}

func (p picking) picks(stream, kind string) bool {
	text := kind
	if p.byStream {
		text = stream
	}
	return slices.ContainsFunc(p.prefixes, func(prefix string) bool { return strings.HasPrefix(text, prefix) })
}

// every is how many records there are between two checkpoints at most.
func (p picking) every() uint64 {
	const byDefault = 32
	if p.window == 0 {
		return byDefault * uint64(p.intervals)
	}
	return uint64(p.window) * uint64(p.intervals)
}

func (p picking) options() *streams.ReadReq_Options_Filter {
	expression := &streams.ReadReq_Options_FilterOptions_Expression{Prefix: p.prefixes}
	if p.regex {
		expression = &streams.ReadReq_Options_FilterOptions_Expression{Regex: "^(" + strings.Join(p.prefixes, "|") + ")"}
	}
	o := &streams.ReadReq_Options_FilterOptions{
		CheckpointIntervalMultiplier: p.intervals,
		Window:                       &streams.ReadReq_Options_FilterOptions_Max{Max: p.window},
		Filter:                       &streams.ReadReq_Options_FilterOptions_EventType{EventType: expression},
	}
	if p.window == 0 {
		o.Window = &streams.ReadReq_Options_FilterOptions_Count{Count: &shared.Empty{}}
	}
	if p.byStream {
		o.Filter = &streams.ReadReq_Options_FilterOptions_StreamIdentifier{StreamIdentifier: expression}
	}
	return &streams.ReadReq_Options_Filter{Filter: o}
}

// heard is one message of a filtered subscription: an event or a checkpoint, and its position.
type heard struct {
	event    bool
	position uint64
}

// hearFiltered follows from a position, exclusive, and takes messages until enough.
func hearFiltered(
	ctx context.Context, t *testing.T, connection *grpc.ClientConn, p picking, from uint64, enough func(last heard, caughtUp bool) bool,
) []heard {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f := follow(ctx, t, connection, &streams.ReadReq_Options{StreamOption: ofAllAt(from, from), FilterOption: p.options()})
	var all []heard
	for caughtUp := false; ; {
		message, err := f.Recv()
		if err != nil {
			t.Fatalf("after %d messages: %v", len(all), err)
		}
		var last heard
		switch {
		case message.GetEvent() != nil:
			last = heard{event: true, position: message.GetEvent().GetCommitPosition()}
		case message.GetCheckpoint() != nil:
			last = heard{position: message.GetCheckpoint().GetCommitPosition()}
		case message.GetCaughtUp() != nil:
			caughtUp = true
		}
		if last.position != 0 {
			all = append(all, last)
		}
		if enough(last, caughtUp) {
			return all
		}
	}
}

// TestResumeFromEveryCheckpoint of filtered subscriptions drawn at random, in history and live: checkpoints grow, come often enough, none
// is ahead of an event that is yet to come, and a subscription that goes on from one loses nothing and repeats nothing.
func TestResumeFromEveryCheckpoint(t *testing.T) {
	t.Parallel()
	s := start(t)
	connection := s.dial(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	runs := 0
	rapid.Check(t, func(r *rapid.T) {
		runs++
		run := fmt.Sprintf("%d-", runs) // streams and types of its own: all runs share a log
		p := drawPicking(r, run)
		var picked []uint64
		write := func(label string, most int) {
			for range rapid.IntRange(0, most).Draw(r, label) {
				name := rapid.SampledFrom([]string{"a", "ab", "b", "c"})
				stream, kind := run+name.Draw(r, "stream"), run+name.Draw(r, "kind")
				if result := s.append(t, stream, kind); p.picks(stream, kind) {
					picked = append(picked, result.CommitPosition)
				}
			}
		}
		before := uint64(s.log.Head())
		write("history", 40)
		written := uint64(0)
		all := hearFiltered(ctx, t, connection, p, before, func(last heard, caughtUp bool) bool {
			if caughtUp && written == 0 {
				write("live", 20)
				written = uint64(s.log.Head())
				for range p.every() { // so that one more checkpoint must come
					s.append(t, run+"-end", "end")
				}
			}
			return written != 0 && !last.event && last.position > written
		})
		checkHeard(r, all, picked, before, p.every())
		for _, h := range all {
			if h.event {
				continue
			}
			at := slices.IndexFunc(picked, func(position uint64) bool { return position > h.position })
			if at < 0 {
				at = len(picked)
			}
			again := hearFiltered(ctx, t, connection, p, h.position, func(_ heard, caughtUp bool) bool { return caughtUp })
			if got := eventsOf(again); !slices.Equal(got, picked[at:]) {
				r.Fatalf("resumed from %d: %v, want %v", h.position, got, picked[at:])
			}
		}
	})
}

func eventsOf(all []heard) []uint64 {
	var positions []uint64
	for _, h := range all {
		if h.event {
			positions = append(positions, h.position)
		}
	}
	return positions
}

func checkHeard(r *rapid.T, all []heard, picked []uint64, before, every uint64) {
	if got := eventsOf(all); !slices.Equal(got, picked) {
		r.Fatalf("heard %v, want %v", got, picked)
	}
	sent, last := 0, before
	for i, h := range all {
		if h.event {
			sent++
			continue
		}
		switch {
		case h.position <= last && i > 0:
			r.Fatalf("checkpoint %d after %d", h.position, last)
		case h.position > last+every:
			r.Fatalf("checkpoint %d after %d: more than %d records apart", h.position, last, every)
		case sent < len(picked) && picked[sent] <= h.position:
			r.Fatalf("checkpoint %d before the event at %d", h.position, picked[sent])
		case sent > 0 && h.position < picked[sent-1]:
			r.Fatalf("checkpoint %d after the event at %d", h.position, picked[sent-1])
		}
		last = h.position
	}
}
