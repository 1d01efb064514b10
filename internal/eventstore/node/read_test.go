package node_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

func contains(err error, text string) bool { return strings.Contains(err.Error(), text) }

// recite reads to the end: stream@revision type, each.
func recite(t testing.TB, stream *esdb.ReadStream, err error) (string, error) {
	t.Helper()
	if err != nil {
		return "", err
	}
	defer stream.Close()
	var text []string
	for {
		event, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return strings.Join(text, " "), nil
		}
		if err != nil {
			return strings.Join(text, " "), err
		}
		r := event.Event
		if r.Position.Commit == 0 || r.Position.Commit != r.Position.Prepare || r.CreatedDate.IsZero() {
			t.Errorf("event without position or time: %+v", r)
		}
		text = append(text, fmt.Sprintf("%s@%d", r.StreamID, r.EventNumber))
	}
}

func TestReadStream(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.append(t, "other", "x")
	s.append(t, "a", "x", "x", "x")
	s.append(t, "other", "x")
	s.append(t, "a", "x")
	cases := map[string]struct {
		from      esdb.StreamPosition
		direction esdb.Direction
		count     uint64
		want      string
	}{
		"forwards from the start":                 {esdb.Start{}, esdb.Forwards, 10, "a@0 a@1 a@2 a@3"},
		"forwards from a revision, inclusive":     {esdb.Revision(2), esdb.Forwards, 10, "a@2 a@3"},
		"forwards no more than asked for":         {esdb.Start{}, esdb.Forwards, 3, "a@0 a@1 a@2"},
		"forwards past the end is empty":          {esdb.Revision(4), esdb.Forwards, 10, ""},
		"forwards without limit":                  {esdb.Start{}, esdb.Forwards, 1<<64 - 1, "a@0 a@1 a@2 a@3"},
		"backwards from the end":                  {esdb.End{}, esdb.Backwards, 2, "a@3 a@2"},
		"backwards from a revision, inclusive":    {esdb.Revision(1), esdb.Backwards, 10, "a@1 a@0"},
		"backwards from the start is the first":   {esdb.Start{}, esdb.Backwards, 10, "a@0"},
		"backwards from beyond the end is all":    {esdb.Revision(99), esdb.Backwards, 10, "a@3 a@2 a@1 a@0"},
		"backwards from the highest number is so": {esdb.Revision(1<<64 - 2), esdb.Backwards, 1, "a@3"},
	}
	for rule, c := range cases {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			stream, err := s.client.ReadStream(t.Context(), "a", esdb.ReadStreamOptions{From: c.from, Direction: c.direction}, c.count)
			got, err := recite(t, stream, err)
			if err != nil || got != c.want {
				t.Errorf("read %q, %v, want %q", got, err, c.want)
			}
		})
	}
	t.Run("a stream that never was is not found", func(t *testing.T) {
		t.Parallel()
		stream, err := s.client.ReadStream(t.Context(), "never", esdb.ReadStreamOptions{}, 1)
		if _, err = recite(t, stream, err); codeOf(err) != esdb.ErrorCodeResourceNotFound {
			t.Errorf("read: %v, want not found", err)
		}
	})
}

func TestReadAll(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.append(t, "a", "x")
	s.append(t, "b", "x", "x")
	s.append(t, "a", "x")
	cases := map[string]struct {
		from      esdb.AllPosition
		direction esdb.Direction
		count     uint64
		want      string
	}{
		"forwards from the start":             {esdb.Start{}, esdb.Forwards, 10, "a@0 b@0 b@1 a@1"},
		"forwards from a position, inclusive": {esdb.Position{Commit: 3, Prepare: 3}, esdb.Forwards, 10, "b@1 a@1"},
		"forwards no more than asked for":     {esdb.Start{}, esdb.Forwards, 2, "a@0 b@0"},
		"forwards from the end is empty":      {esdb.End{}, esdb.Forwards, 2, ""},
		"forwards from beyond is empty":       {esdb.Position{Commit: 77, Prepare: 77}, esdb.Forwards, 2, ""},
		"backwards from the end":              {esdb.End{}, esdb.Backwards, 3, "a@1 b@1 b@0"},
		"backwards from a position, exclusive": {esdb.Position{Commit: 3, Prepare: 3}, esdb.Backwards, 9,
			"b@0 a@0"},
		"backwards from the start is empty": {esdb.Start{}, esdb.Backwards, 9, ""},
	}
	for rule, c := range cases {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			stream, err := s.client.ReadAll(t.Context(), esdb.ReadAllOptions{From: c.from, Direction: c.direction}, c.count)
			got, err := recite(t, stream, err)
			if err != nil || got != c.want {
				t.Errorf("read %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func TestReadPages(t *testing.T) {
	t.Parallel()
	s := start(t)
	kinds := make([]string, 1000)
	for i := range kinds {
		kinds[i] = "x"
	}
	s.append(t, "a", kinds...)
	for _, direction := range []esdb.Direction{esdb.Forwards, esdb.Backwards} {
		var from esdb.AllPosition = esdb.Start{}
		var first esdb.StreamPosition = esdb.Start{}
		if direction == esdb.Backwards {
			from, first = esdb.End{}, esdb.End{}
		}
		stream, err := s.client.ReadAll(t.Context(), esdb.ReadAllOptions{From: from, Direction: direction}, 1<<63)
		all, err := recite(t, stream, err)
		if err != nil {
			t.Fatal(err)
		}
		stream, err = s.client.ReadStream(t.Context(), "a", esdb.ReadStreamOptions{From: first, Direction: direction}, 1<<63)
		one, err := recite(t, stream, err)
		if err != nil || one != all {
			t.Errorf("direction %d: the stream is not what the log is, %v", direction, err)
		}
		if got := strings.Count(all, "@"); got != 1000 {
			t.Errorf("direction %d: read %d events, want 1000", direction, got)
		}
	}
}
