package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
)

// attempt is an append of the events known by letters.
type attempt struct {
	expected events.Expected
	letters  string
}

// oneByOne writes a..f, each in an append of its own.
var oneByOne = []attempt{
	{events.NoStream(), "a"}, {events.Exactly(0), "b"}, {events.Exactly(1), "c"},
	{events.Exactly(2), "d"}, {events.Exactly(3), "e"}, {events.Exactly(4), "f"},
}

func testIdempotency(t *testing.T, store Store) {
	any_, none, at := events.Any(), events.NoStream(), events.Exactly
	wrong := events.ErrWrongRevision
	for name, test := range map[string]struct {
		before   []attempt
		attempt  attempt
		revision events.Revision // of the attempt's last event
		err      error
		after    string // what the stream holds then
	}{
		"the first append to a stream":              {nil, attempt{none, "ab"}, 1, nil, "ab"},
		"any on a new stream":                       {nil, attempt{any_, "a"}, 0, nil, "a"},
		"a revision on a new stream":                {nil, attempt{at(0), "a"}, 0, wrong, ""},
		"a revision far beyond the end":             {oneByOne, attempt{at(1 << 62), "g"}, 0, wrong, "abcdef"},
		"the right revision":                        {oneByOne, attempt{at(5), "g"}, 6, nil, "abcdefg"},
		"any appends what is new":                   {oneByOne, attempt{any_, "gh"}, 7, nil, "abcdefgh"},
		"an old revision with another event":        {oneByOne, attempt{at(4), "g"}, 0, wrong, "abcdef"},
		"no stream with another event":              {oneByOne, attempt{none, "g"}, 0, wrong, "abcdef"},
		"a again on no stream is a repeat":          {oneByOne, attempt{none, "a"}, 0, nil, "abcdef"},
		"a again on any is a repeat":                {oneByOne, attempt{any_, "a"}, 0, nil, "abcdef"},
		"a again at 5 is a second copy":             {oneByOne, attempt{at(5), "a"}, 6, nil, "abcdefa"},
		"a again at 6 is wrong":                     {oneByOne, attempt{at(6), "a"}, 0, wrong, "abcdef"},
		"a again at 4 is wrong":                     {oneByOne, attempt{at(4), "a"}, 0, wrong, "abcdef"},
		"a middle event at its place is a repeat":   {oneByOne, attempt{at(1), "c"}, 2, nil, "abcdef"},
		"a middle run at its place is a repeat":     {oneByOne, attempt{at(1), "cde"}, 4, nil, "abcdef"},
		"a run at its place, from no stream":        {oneByOne, attempt{none, "abcdef"}, 5, nil, "abcdef"},
		"a run that skips one":                      {oneByOne, attempt{at(1), "ce"}, 0, wrong, "abcdef"},
		"a run out of order":                        {oneByOne, attempt{none, "ba"}, 0, wrong, "abcdef"},
		"a run out of order on any is a repeat":     {oneByOne, attempt{any_, "fa"}, 0, nil, "abcdef"},
		"the tail of an append, at its place":       {[]attempt{{none, "ab"}}, attempt{at(0), "b"}, 1, nil, "ab"},
		"an append with more than was written":      {[]attempt{{none, "ab"}}, attempt{none, "abc"}, 0, wrong, "ab"},
		"more than was written, on any":             {[]attempt{{none, "ab"}}, attempt{any_, "abc"}, 0, wrong, "ab"},
		"on any, a new one first: all are written":  {[]attempt{{none, "ab"}}, attempt{any_, "ca"}, 3, nil, "abca"},
		"on any, a copied event's later place":      {[]attempt{{none, "ab"}, {at(1), "a"}}, attempt{any_, "a"}, 2, nil, "aba"},
		"a repeat on any when the stream has grown": {[]attempt{{any_, "a"}, {any_, "b"}}, attempt{any_, "a"}, 0, nil, "ab"},
		"one id twice in one append, on no stream":  {nil, attempt{none, "aa"}, 1, nil, "aa"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, store)
			stream := s.stream("s")
			for _, a := range test.before {
				s.append(stream, a.expected, a.letters)
			}
			before := s.head()
			got, err := s.Append(s.ctx, stream, test.attempt.expected, s.events(test.attempt.letters)...)
			if !errors.Is(err, test.err) {
				t.Fatalf("error: got %v, want %v", err, test.err)
			}
			stored := s.read(stream, 0)
			equal(t, "the stream", strings.Join(names(t, stored), ""), test.after)
			if err != nil {
				equal(t, "answer", got, events.Appended{})
				return
			}
			equal(t, "answer", got, events.Appended{Revision: test.revision, Position: stored[test.revision].Position})
			grown := len(test.after) > count(test.before)
			if isNew := got.Position > before; isNew != grown {
				t.Errorf("position %s, head before %s: new is %t, want %t", got.Position, before, isNew, grown)
			}
		})
	}
}

func count(attempts []attempt) int {
	n := 0
	for _, a := range attempts {
		n += len(a.letters)
	}
	return n
}

func testRace(t *testing.T, store Store) {
	s := newStage(t, store)
	stream := s.stream("s")
	const writers, rounds = 8, 5
	for round := range rounds {
		expected := events.NoStream()
		if round > 0 {
			expected = events.Exactly(events.Revision(round - 1))
		}
		won := make(chan string, writers)
		var wait sync.WaitGroup
		for writer := range writers {
			wait.Go(func() {
				name := fmt.Sprintf("%d.%d", round, writer)
				_, err := s.Append(s.ctx, stream, expected, s.event(name))
				switch {
				case err == nil:
					won <- name
				case !errors.Is(err, events.ErrWrongRevision):
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		wait.Wait()
		if len(won) != 1 {
			t.Fatalf("round %d: %d writers won, want 1", round, len(won))
		}
		equal(t, "the event written", names(t, s.read(stream, events.Revision(round))), []string{<-won})
	}
}

func testAtomic(t *testing.T, store Store) {
	s := newStage(t, store)
	const writers, size = 4, 50
	var wait sync.WaitGroup
	for writer := range writers {
		wait.Go(func() {
			evs := make([]events.Proposed, size)
			for n := range evs {
				evs[n] = s.event(fmt.Sprintf("%d.%d", writer, n))
			}
			if _, err := s.Append(s.ctx, s.stream(fmt.Sprint(writer)), events.NoStream(), evs...); err != nil {
				t.Errorf("append: %v", err)
			}
		})
	}
	wait.Wait()
	all := s.mine(0)
	if len(all) != writers*size {
		t.Fatalf("got %d events, want %d", len(all), writers*size)
	}
	for n, e := range all {
		if want := events.Revision(n % size); e.Revision != want || e.Stream != all[n-n%size].Stream {
			t.Fatalf("event %d of the log is %s revision %d: the events of one append are not adjacent", n, e.Stream, e.Revision)
		}
	}
}

func testRoundTrip(t *testing.T, store Store) {
	s := newStage(t, store)
	stream := s.stream("s")
	bare := s.event("bare")
	bare.Metadata = nil
	full := s.event("full")
	full.Type = "Fully-Noted é"
	full.Data = []byte(`{"text":"a \"quoted\" <é> 漢 \u0000", "big": 12345678901234567890}`)
	start := time.Now()
	appended, err := s.Append(s.ctx, stream, events.NoStream(), bare, full)
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	got := s.read(stream, 0)
	if len(got) != 2 {
		t.Fatalf("got %d events, want 2", len(got))
	}
	for n, want := range []events.Proposed{bare, full} {
		e := got[n]
		equal(t, "event", e, events.Stored{
			ID: want.ID, Stream: stream, Revision: events.Revision(n), Position: e.Position, At: e.At,
			Type: want.Type, Data: want.Data, Metadata: want.Metadata,
		})
		if e.At.Location() != time.UTC || e.At.Before(start.Add(-time.Hour)) || e.At.After(time.Now().Add(time.Hour)) {
			t.Errorf("recorded at %s, want about %s in UTC", e.At, start.UTC())
		}
	}
	if got[0].Metadata != nil {
		t.Errorf("metadata of an event without: %q, want nil", got[0].Metadata)
	}
	if got[0].Position == 0 || got[1].Position <= got[0].Position || got[1].Position > events.MaxPosition {
		t.Errorf("positions %s and %s, want them above 0 and growing", got[0].Position, got[1].Position)
	}
	equal(t, "answer", appended, events.Appended{Revision: 1, Position: got[1].Position})
	equal(t, "the same from the log", s.mine(0), got)
}

func testNames(t *testing.T, store Store) {
	for name, rest := range map[string]string{
		"slashes":          "/x//foo/",
		"spaces":           " a b ",
		"at":               "7@other",
		"percent":          "%2F%",
		"hyphens":          "--a-b-",
		"not latin":        "日本/χώρα/🎉",
		"dollar":           "a$b",
		"control":          "a\tb\x00c\x01",
		"empty":            "",
		"a prefix of one":  "ab",
		"which is longer":  "abc",
		"long":             strings.Repeat("x", 300),
		"quotes and stars": `"'*?\`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, store)
			s.append(s.stream(rest+"x"), events.NoStream(), "x")
			s.append(s.stream(rest), events.NoStream(), "ab")
			s.append(s.stream(rest+"\x00"), events.NoStream(), "y")
			got := s.read(s.stream(rest), 0)
			equal(t, "events", names(t, got), []string{"a", "b"})
			for _, e := range got {
				equal(t, "stream", e.Stream, s.stream(rest))
			}
			equal(t, "from the log", collect(t, s.ReadAll(s.ctx, 0, events.Filter{Stream: s.stream(rest)})), got)
		})
	}
}

func testRefused(t *testing.T, store Store) {
	s := newStage(t, store)
	good := s.event("good")
	without := func(change func(*events.Proposed)) []events.Proposed {
		e := s.event("bad")
		change(&e)
		return []events.Proposed{good, e}
	}
	for name, test := range map[string]struct {
		stream events.StreamName
		evs    []events.Proposed
	}{
		"no event":              {s.stream("s"), nil},
		"an event without id":   {s.stream("s"), without(func(e *events.Proposed) { e.ID = uuid.Nil })},
		"or without type":       {s.stream("s"), without(func(e *events.Proposed) { e.Type = "" })},
		"a stream without name": {"", []events.Proposed{good}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := s.Append(s.ctx, test.stream, events.Any(), test.evs...); err == nil {
				t.Error("appended, want an error")
			}
			equal(t, "the stream", s.read(s.stream("s"), 0), nil)
		})
	}
}

func testSize(t *testing.T, store Store) {
	const limit = 1 << 20
	s := newStage(t, store)
	sized := func(name string, bytesAll int) events.Proposed {
		e := s.event(name)
		e.Data = bytes.Repeat([]byte("1"), bytesAll-len(e.Metadata)-2*len(e.Type))
		return e
	}
	for name, test := range map[string]struct {
		evs []events.Proposed
		err error
	}{
		"just the limit":                {[]events.Proposed{sized("a", limit)}, nil},
		"one byte more":                 {[]events.Proposed{sized("b", limit+1)}, events.ErrTooLarge},
		"the limit in two events":       {[]events.Proposed{sized("c", limit/2), sized("d", limit/2)}, nil},
		"one byte more in two events":   {[]events.Proposed{sized("e", limit/2), sized("f", limit/2+1)}, events.ErrTooLarge},
		"far more":                      {[]events.Proposed{sized("g", 8*limit)}, events.ErrTooLarge},
		"far more than one message has": {[]events.Proposed{sized("h", 20*limit)}, events.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			stream := s.stream(name)
			_, err := s.Append(s.ctx, stream, events.NoStream(), test.evs...)
			if !errors.Is(err, test.err) {
				t.Fatalf("error: got %v, want %v", err, test.err)
			}
			got := s.read(stream, 0)
			if want := len(test.evs); err == nil && len(got) != want || err != nil && len(got) != 0 {
				t.Fatalf("%d events in the stream, %d were appended with error %v", len(got), want, err)
			}
			for n, e := range got {
				if !bytes.Equal(e.Data, test.evs[n].Data) {
					t.Errorf("event %d came back changed: %d bytes, want %d", n, len(e.Data), len(test.evs[n].Data))
				}
			}
		})
	}
}
