package soak

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDecoderFollowsTheStandard(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		stream string
		want   []Event
		lastID string
	}{
		"an event has name, data and id":              {"event: state\ndata: {}\nid: 7\n\n", []Event{{"state", "{}", "7"}}, "7"},
		"one without a name is a message":             {"data: x\n\n", []Event{{"message", "x", ""}}, ""},
		"several data lines are joined":               {"data: a\ndata\ndata: b\n\n", []Event{{"message", "a\n\nb", ""}}, ""},
		"one blank after the colon is dropped":        {"data:  a\n\ndata:b\n\n", []Event{{"message", " a", ""}, {"message", "b", ""}}, ""},
		"comments and unknown fields are nothing":     {": hello\nfoo: bar\ndata: a\n\n", []Event{{"message", "a", ""}}, ""},
		"an event without data is not dispatched":     {"event: x\n\ndata: a\n\n", []Event{{"message", "a", ""}}, ""},
		"but its id counts":                           {"id: 9\n\n", nil, "9"},
		"ids last":                                    {"id: 1\ndata: a\n\ndata: b\n\n", []Event{{"message", "a", "1"}, {"message", "b", "1"}}, "1"},
		"an empty id takes it back":                   {"id: 1\ndata: a\n\nid\ndata: b\n\n", []Event{{"message", "a", "1"}, {"message", "b", ""}}, ""},
		"an id with a NUL is ignored":                 {"id: 1\x002\ndata: a\n\n", []Event{{"message", "a", ""}}, ""},
		"lines end in CR, LF or both":                 {"data: a\r\rdata: b\r\n\r\ndata: c\n\n", []Event{{"message", "a", ""}, {"message", "b", ""}, {"message", "c", ""}}, ""},
		"a byte order mark may come first":            {"\xef\xbb\xbfdata: a\n\n", []Event{{"message", "a", ""}}, ""},
		"an event that is cut off is lost":            {"data: a\nid: 1\n\ndata: b\nid: 2\n", []Event{{"message", "a", "1"}}, "1"},
		"data may be empty":                           {"data\n\n", []Event{{"message", "", ""}}, ""},
		"an event's name does not last to the next":   {"event: x\ndata: a\n\ndata: b\n\n", []Event{{"x", "a", ""}, {"message", "b", ""}}, ""},
		"a retry that is not digits changes nothing":  {"retry: 1s\ndata: a\n\n", []Event{{"message", "a", ""}}, ""},
		"an id that is not dispatched does not count": {"id: 1\ndata: a\n\nid: 2\n", []Event{{"message", "a", "1"}}, "1"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			for name, from := range map[string]io.Reader{
				"whole":       strings.NewReader(c.stream),
				"byte a time": iotest.OneByteReader(strings.NewReader(c.stream)),
			} {
				d := NewDecoder(from)
				if diff := cmp.Diff(all(t, d), c.want); diff != "" {
					t.Errorf("%s: events (-got +want):\n%s", name, diff)
				}
				if d.lastID != c.lastID {
					t.Errorf("%s: got last id %q, want %q", name, d.lastID, c.lastID)
				}
			}
		})
	}
}

func TestDecoderDoesNotWaitBeyondACompleteEvent(t *testing.T) {
	t.Parallel()
	from, to := io.Pipe()
	go func() { _, _ = to.Write([]byte("data: a\r\n\r")) }() // closed below at the latest
	t.Cleanup(func() { _ = from.Close() })
	got, err := NewDecoder(from).Next()
	if err != nil || got.Data != "a" {
		t.Errorf("got %v, %v, want the event", got, err)
	}
}

func TestDecoderTellsTheRetryTimeAndRefusesEndlessLines(t *testing.T) {
	t.Parallel()
	d := NewDecoder(strings.NewReader("retry: 1500\ndata: a\n\ndata: " + strings.Repeat("x", maxSSELineBytes) + "\n\n"))
	if _, err := d.Next(); err != nil || d.Retry != 1500*time.Millisecond {
		t.Errorf("got retry %s, %v, want 1.5s", d.Retry, err)
	}
	if _, err := d.Next(); !errors.Is(err, errLongLine) {
		t.Errorf("got error %v, want %v", err, errLongLine)
	}
}

func all(t *testing.T, d *Decoder) []Event {
	t.Helper()
	var events []Event
	for {
		event, err := d.Next()
		if errors.Is(err, io.EOF) {
			return events
		}
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, event)
	}
}
