package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// TestRules holds the examples that EventStoreDB's own tests give for idempotency. Every case starts with a stream s of a..f, written at
// NoStream.
func TestRules(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		stream   string
		expected eventlog.Expected
		ids      string
		want     string
	}{
		"the first event again at NoStream is a repeat":        {"s", eventlog.NoStream, "a", "repeat 0 at 1"},
		"the first event again at Any is a repeat":             {"s", eventlog.Any, "a", "repeat 0 at 1"},
		"the first event again at the last revision is new":    {"s", 5, "a", "written 6 at 8"},
		"beyond the last revision is wrong":                    {"s", 6, "a", "wrong 5"},
		"another event than the one after r is wrong":          {"s", 4, "a", "wrong 5"},
		"some events in their order are a repeat":              {"s", 0, "bc", "repeat 2 at 3"},
		"a repeat that goes on past the end is wrong":          {"s", 3, "efg", "wrong 5"},
		"a repeat whose later events differ is wrong":          {"s", eventlog.NoStream, "ac", "wrong 5"},
		"known ids at Any in any order are a repeat":           {"s", eventlog.Any, "ca", "repeat 0 at 1"},
		"a known id before an unknown one at Any is wrong":     {"s", eventlog.Any, "ag", "wrong 5"},
		"an unknown id before a known one at Any writes both":  {"s", eventlog.Any, "ga", "written 7 at 9"},
		"known ids are known at StreamExists too":              {"s", eventlog.StreamExists, "f", "repeat 5 at 6"},
		"ids are known by stream":                              {"other", eventlog.Any, "a", "written 0 at 8"},
		"a stream without events does not exist":               {"other", eventlog.StreamExists, "g", "wrong -1"},
		"metadata makes a stream exist":                        {"described", eventlog.StreamExists, "g", "written 0 at 8"},
		"metadata does not make a stream have events":          {"described", eventlog.NoStream, "g", "written 0 at 8"},
		"no events at Any succeed":                             {"s", eventlog.Any, "", "nothing 5"},
		"no events at NoStream of a new stream succeed":        {"other", eventlog.NoStream, "", "nothing -1"},
		"no events at the last revision succeed":               {"s", 5, "", "nothing 5"},
		"no events at a passed revision are wrong":             {"s", 4, "", "wrong 5"},
		"no events at StreamExists of a new stream are wrong":  {"other", eventlog.StreamExists, "", "wrong -1"},
		"a revision of a stream without events is wrong":       {"other", 0, "g", "wrong -1"},
		"an id twice in one append is written twice":           {"other", eventlog.Any, "gg", "written 1 at 9"},
		"a name that only continues another's is another name": {"s\x00", eventlog.NoStream, "a", "written 0 at 8"},
	}
	for rule, c := range cases {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			l := open(t, eventlog.Options{})
			mustAppend(t, l, "s", eventlog.NoStream, lettered("abcdef")...)
			mustAppend(t, l, "$$described", eventlog.NoStream, event(eventlog.TypeMetadata))
			if got := tell(l.Append(t.Context(), c.stream, c.expected, lettered(c.ids)...)); got != c.want {
				t.Errorf("%s at %d: %s, want %s", c.ids, c.expected, got, c.want)
			}
		})
	}
}

func TestInvalidRequests(t *testing.T) {
	t.Parallel()
	l := open(t, eventlog.Options{})
	cases := map[string]func() error{
		"an empty name":          func() error { _, err := l.Append(t.Context(), "", eventlog.Any, event("x")); return err },
		"the name $$":            func() error { _, err := l.Append(t.Context(), "$$", eventlog.Any, event("x")); return err },
		"an unknown expectation": func() error { _, err := l.Append(t.Context(), "s", -3, event("x")); return err },
		"an event without id":    func() error { _, err := l.Append(t.Context(), "s", 0, eventlog.Event{Type: "x"}); return err },
		"an event without type":  func() error { _, err := l.Append(t.Context(), "s", 0, eventlog.Event{ID: uuid.New()}); return err },
		"deleting a metastream":  func() error { _, err := l.Delete(t.Context(), "$$s", eventlog.Any); return err },
		"ending a metastream":    func() error { _, err := l.Tombstone(t.Context(), "$$s", eventlog.Any); return err },
	}
	for what, do := range cases {
		if err := do(); !errors.Is(err, eventlog.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", what, err)
		}
	}
}

func TestCancelledAppendIsNotWritten(t *testing.T) {
	t.Parallel()
	l := open(t, eventlog.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range 100 { // the queue and the context are both ready: either may be noticed first
		if _, err := l.Append(ctx, fmt.Sprint("s", i), eventlog.Any, event("x")); !errors.Is(err, context.Canceled) {
			t.Fatalf("append with a cancelled context: %v, want it cancelled", err)
		}
	}
	if got := l.Head(); got != 0 {
		t.Errorf("head = %d, want 0", got)
	}
}

// lettered are events whose ids are letters.
func lettered(letters string) []eventlog.Event {
	events := make([]eventlog.Event, len(letters))
	for i := range events {
		events[i] = eventlog.Event{ID: uuid.UUID{letters[i]}, Type: letters[i : i+1]}
	}
	return events
}

func mustAppend(t testing.TB, l *eventlog.Log, stream string, expected eventlog.Expected, events ...eventlog.Event) eventlog.Appended {
	t.Helper()
	done, err := l.Append(t.Context(), stream, expected, events...)
	if err != nil {
		t.Fatal(err)
	}
	return done
}
