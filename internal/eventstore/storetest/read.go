package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/tidings-io/tidings/internal/events"
)

func testRead(t *testing.T, store Store) {
	s := newStage(t, store)
	stream := s.stream("s")
	s.append(s.stream("other"), events.NoStream(), "xyz")
	s.append(stream, events.NoStream(), "abc")
	s.append(s.stream("other"), events.Any(), "uvw")
	s.append(stream, events.Exactly(2), "de")
	for name, test := range map[string]struct {
		stream events.StreamName
		from   events.Revision
		want   []string
	}{
		"from the start":                 {stream, 0, []string{"a", "b", "c", "d", "e"}},
		"from the middle, inclusive":     {stream, 2, []string{"c", "d", "e"}},
		"from the last":                  {stream, 4, []string{"e"}},
		"from beyond the end":            {stream, 5, nil},
		"from far beyond the end":        {stream, 1 << 62, nil},
		"a stream that does not exist":   {s.stream("none"), 0, nil},
		"the middle of no stream at all": {s.stream("none"), 3, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := s.read(test.stream, test.from)
			equal(t, "events", names(t, got), test.want)
			for n, e := range got {
				equal(t, "revision", e.Revision, test.from+events.Revision(n))
			}
		})
	}
	t.Run("a reader that leaves early", func(t *testing.T) {
		for e, err := range s.Read(s.ctx, stream, 1) {
			if err != nil || e.Revision != 1 {
				t.Fatalf("got revision %d, %v, want 1", e.Revision, err)
			}
			break
		}
	})
	t.Run("many events", func(t *testing.T) {
		const many, each = 3000, 500
		long := s.stream("long")
		for n := 0; n < many; n += each {
			evs := make([]events.Proposed, each)
			for m := range evs {
				evs[m] = s.event(fmt.Sprint(n + m))
			}
			if _, err := s.Append(s.ctx, long, events.Any(), evs...); err != nil {
				t.Fatalf("append: %v", err)
			}
		}
		got := s.read(long, 1)
		if len(got) != many-1 || got[len(got)-1].Revision != many-1 {
			t.Fatalf("got %d events, want %d", len(got), many-1)
		}
	})
}

func testReadAll(t *testing.T, store Store) {
	s := newStage(t, store)
	s.append(s.stream("1"), events.NoStream(), "ab")
	middle := s.append(s.stream("2"), events.NoStream(), "c").Position
	odd, own := s.event("d"), s.event("e")
	odd.Type, own.Type = "Oddly-"+s.category, "$own"
	if _, err := s.Append(s.ctx, s.stream("1"), events.Any(), odd, own); err != nil {
		t.Fatalf("append: %v", err)
	}
	last := s.append(s.stream("2"), events.Any(), "f").Position
	s.append(events.StreamName(s.category+"longer-1"), events.NoStream(), "g")
	s.append(events.StreamName(s.category), events.NoStream(), "h")
	mine := func(f events.Filter) events.Filter { f.Category = s.category; return f }
	for name, test := range map[string]struct {
		after  events.Position
		filter events.Filter
		want   []string
	}{
		"one category":                     {s.began, mine(events.Filter{}), []string{"a", "b", "c", "d", "f", "h"}},
		"after a position, exclusive":      {middle, mine(events.Filter{}), []string{"d", "f", "h"}},
		"one stream, from the log's start": {0, events.Filter{Stream: s.stream("2")}, []string{"c", "f"}},
		"one stream after a position":      {middle, events.Filter{Stream: s.stream("2")}, []string{"f"}},
		"a stream without hyphen":          {0, events.Filter{Stream: events.StreamName(s.category)}, []string{"h"}},
		"a stream of another category":     {s.began, mine(events.Filter{Stream: "other-1"}), nil},
		"a stream that does not exist":     {0, events.Filter{Stream: s.stream("none")}, nil},
		"one type":                         {s.began, events.Filter{Type: odd.Type}, []string{"d"}},
		"one type of one category":         {s.began, mine(events.Filter{Type: "Noted"}), []string{"a", "b", "c", "f", "h"}},
		"one type of one stream":           {0, events.Filter{Stream: s.stream("1"), Type: "Noted"}, []string{"a", "b"}},
		"a type is no prefix":              {s.began, mine(events.Filter{Type: "Note"}), nil},
		"the store's own types never":      {s.began, mine(events.Filter{Type: "$own"}), nil},
		"not even asked for by stream":     {0, events.Filter{Stream: s.stream("1"), Type: "$own"}, nil},
		"all three":                        {s.began, mine(events.Filter{Stream: s.stream("2"), Type: "Noted"}), []string{"c", "f"}},
		"a category nobody used":           {0, events.Filter{Category: s.category + "x"}, nil},
		"after the last of a stream":       {last, events.Filter{Stream: s.stream("2")}, nil},
		"after the end of the log":         {1 << 60, mine(events.Filter{}), nil},
		"a stream after the log's end":     {1 << 60, events.Filter{Stream: s.stream("2")}, nil},
		"one type, after the log's end":    {1 << 60, events.Filter{Type: "Noted"}, nil},
		"everything, after the log's end":  {1 << 60, events.Filter{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := collect(t, s.ReadAll(s.ctx, test.after, test.filter))
			equal(t, "events", names(t, got), test.want)
			ordered(t, test.after, got)
		})
	}
	t.Run("one category from the log's start", func(t *testing.T) {
		s.needsShortHistory(t)
		got := collect(t, s.ReadAll(s.ctx, 0, mine(events.Filter{})))
		equal(t, "events", names(t, got), []string{"a", "b", "c", "d", "f", "h"})
		ordered(t, 0, got)
	})
	t.Run("everything", func(t *testing.T) {
		var mine []events.Stored
		all := collect(t, s.ReadAll(s.ctx, s.began, events.Filter{}))
		ordered(t, s.began, all)
		for _, e := range all {
			if e.Stream.Category() == s.category {
				mine = append(mine, e)
			}
		}
		equal(t, "events", names(t, mine), []string{"a", "b", "c", "d", "f", "h"})
	})
	t.Run("a reader that leaves early", func(t *testing.T) {
		for _, f := range []events.Filter{{}, mine(events.Filter{}), {Stream: s.stream("1")}} {
			for e, err := range s.ReadAll(s.ctx, s.began, f) {
				if err != nil || e.Position <= s.began {
					t.Fatalf("got position %s, %v", e.Position, err)
				}
				break
			}
		}
	})
	t.Run("what is appended meanwhile is not waited for", func(t *testing.T) {
		n := 0
		for _, err := range s.ReadAll(s.ctx, s.began, events.Filter{Stream: s.stream("2")}) {
			if err != nil {
				t.Fatal(err)
			}
			n++
			s.append(s.stream("2"), events.Any(), string(rune('k'+n)))
		}
		equal(t, "events", n, 2)
	})
}

func ordered(t testing.TB, after events.Position, got []events.Stored) {
	t.Helper()
	for _, e := range got {
		if e.Position <= after {
			t.Fatalf("position %s after %s", e.Position, after)
		}
		after = e.Position
	}
}

func testHead(t *testing.T, store Store) {
	s := newStage(t, store)
	before := s.head()
	appended := s.append(s.stream("s"), events.NoStream(), "abc")
	if appended.Position <= before {
		t.Errorf("appended at %s, the head was %s before", appended.Position, before)
	}
	if head := s.head(); head < appended.Position {
		t.Errorf("head %s, an event stands at %s", head, appended.Position)
	}
}

func testContext(t *testing.T, store Store) {
	s := newStage(t, store)
	s.append(s.stream("s"), events.NoStream(), "a")
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	for name, call := range map[string]func() error{
		"append":            func() error { _, err := s.Append(ctx, s.stream("s"), events.Any(), s.event("b")); return err },
		"head":              func() error { _, err := s.Head(ctx); return err },
		"read":              func() error { return last(s.Read(ctx, s.stream("s"), 0)) },
		"read the log":      func() error { return last(s.ReadAll(ctx, 0, events.Filter{})) },
		"read one category": func() error { return last(s.ReadAll(ctx, 0, events.Filter{Category: s.category})) },
		"follow":            func() error { return last(s.Subscribe(ctx, 0)) },
	} {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want %v", name, err, context.Canceled)
		}
	}
	equal(t, "the stream", names(t, s.read(s.stream("s"), 0)), []string{"a"})
}

func last[T any](seq func(func(T, error) bool)) error {
	var last error
	for _, err := range seq {
		last = err
	}
	return last
}
