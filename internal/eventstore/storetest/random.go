package storetest

import (
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/memory"
)

// testRandom does the same random appends to the store and to the reference:
// the answers and the streams are the same.
func testRandom(t *testing.T, store Store) {
	rapid.Check(t, func(r *rapid.T) {
		s, model := newStage(t, store), &memory.Store{}
		streams := []events.StreamName{s.stream("1"), s.stream("2")}
		for range rapid.IntRange(1, 12).Draw(r, "appends") {
			stream := rapid.SampledFrom(streams).Draw(r, "stream")
			expected := expectation().Draw(r, "expected")
			letters := rapid.StringOfN(rapid.RuneFrom([]rune("abc")), 1, 3, -1).Draw(r, "letters")
			got, err := s.Append(s.ctx, stream, expected, s.events(letters)...)
			want, wantErr := model.Append(s.ctx, stream, expected, s.events(letters)...)
			if !sameError(err, wantErr) {
				r.Fatalf("append %q to %s expecting %s: got %v, want %v", letters, stream, expected, err, wantErr)
			}
			if got.Revision != want.Revision {
				r.Fatalf("append %q to %s expecting %s: got revision %d, want %d", letters, stream, expected, got.Revision, want.Revision)
			}
			if err == nil {
				samePlace(s, r, stream, got)
			}
		}
		for _, stream := range streams {
			got, want := s.read(stream, 0), collect(t, model.Read(s.ctx, stream, 0))
			same(r, "stream "+string(stream), got, want)
		}
		same(r, "the log", s.mine(0), collect(t, model.ReadAll(s.ctx, 0, events.Filter{})))
	})
}

func expectation() *rapid.Generator[events.Expected] {
	return rapid.Custom(func(r *rapid.T) events.Expected {
		switch rapid.IntRange(0, 3).Draw(r, "kind") {
		case 0:
			return events.Any()
		case 1:
			return events.NoStream()
		default:
			return events.Exactly(events.Revision(rapid.Uint64Range(0, 8).Draw(r, "revision")))
		}
	})
}

func sameError(got, want error) bool {
	if want == nil {
		return got == nil
	}
	return errors.Is(got, events.ErrWrongRevision) && errors.Is(want, events.ErrWrongRevision)
}

func samePlace(s stage, r *rapid.T, stream events.StreamName, got events.Appended) {
	for e, err := range s.Read(s.ctx, stream, got.Revision) {
		if err != nil || e.Position != got.Position {
			r.Fatalf("the append answered %+v, the event stands at %s (%v)", got, e.Position, err)
		}
		return
	}
	r.Fatalf("the append answered %+v, and there is no such event", got)
}

// same compares all but the positions and times, which every log has its own of.
func same(r *rapid.T, what string, got, want []events.Stored) {
	if len(got) != len(want) {
		r.Fatalf("%s: %d events, want %d", what, len(got), len(want))
	}
	for n := range got {
		got[n].Position, got[n].At = want[n].Position, want[n].At
		if g, w := fmt.Sprint(got[n]), fmt.Sprint(want[n]); g != w {
			r.Fatalf("%s, event %d: got %s, want %s", what, n, g, w)
		}
	}
}
