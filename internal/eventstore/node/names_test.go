package node_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// oddNames has every code point that one byte can number, alone, in front, amid and behind, and what else is legal and unusual.
func oddNames() []string {
	names := []string{
		"/x/foo", "//", "a b", " a ", "@", "0@a", "a@b@c", "%", "%41", "$", "$a", "$x-y::z", "$$$$a", "--", "日本", "🎉", "é", "e\u0301", "\ufeffbom",
		"\U0010ffff", "\u202e", strings.Repeat("x", 300), strings.Repeat("ü", 2048),
	}
	for r := range rune(0x100) {
		c := string(r)
		names = append(names, c, c+"n", "n"+c+"n", "n"+c)
	}
	seen := map[string]bool{}
	unique := names[:0]
	for _, name := range names {
		if !seen[name] {
			seen[name] = true
			unique = append(unique, name)
		}
	}
	return unique
}

// TestOddNames writes one event to a stream of each name. Each stream has its own event and no other, under exactly that name.
func TestOddNames(t *testing.T) {
	t.Parallel()
	s := start(t)
	names := oddNames()
	for _, name := range names {
		s.append(t, name, "x")
	}
	all, err := s.client.ReadAll(t.Context(), esdb.ReadAllOptions{From: esdb.Start{}}, 1<<32)
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	for _, name := range names {
		if got, err := s.read(t, name); err != nil || got != name+"@0" {
			t.Errorf("stream %q reads %q, %v", name, got, err)
		}
		event, err := all.Recv()
		if err != nil || event.Event.StreamID != name {
			t.Fatalf("the log has %+v, %v, want %q", event, err, name)
		}
	}
}

// TestOddNamesInErrors asks for what is refused with the stream's name in the answer, and for what goes through its metastream.
func TestOddNamesInErrors(t *testing.T) {
	t.Parallel()
	s := start(t)
	raw := streams.NewStreamsClient(s.dial(t))
	for i, name := range oddNames() {
		if strings.HasPrefix(name, "$$") || i%7 != 0 && len(name) < 10 && name >= "0" && name <= "~" {
			continue // enough of the ordinary ones
		}
		s.append(t, name, "x")
		metadata := esdb.StreamMetadata{}
		metadata.SetMaxCount(7)
		if _, err := s.client.SetStreamMetadata(t.Context(), name, esdb.AppendToStreamOptions{}, metadata); err != nil {
			t.Errorf("%q: set metadata: %v", name, err)
		}
		if got, err := s.client.GetStreamMetadata(t.Context(), name, esdb.ReadStreamOptions{}); err != nil || *got.MaxCount() != 7 {
			t.Errorf("%q: metadata %+v, %v", name, got, err)
		}
		_, err := s.client.DeleteStream(t.Context(), name, esdb.DeleteStreamOptions{ExpectedRevision: esdb.Revision(5)})
		if status.Code(err) != codes.FailedPrecondition {
			t.Errorf("%q: delete with a wrong revision: %v", name, err)
		}
		if _, err := s.client.TombstoneStream(t.Context(), name, esdb.TombstoneStreamOptions{}); err != nil {
			t.Errorf("%q: tombstone: %v", name, err)
		}
		if _, err := s.read(t, name); codeOf(err) != esdb.ErrorCodeStreamDeleted {
			t.Errorf("%q: reading it then: %v, want stream deleted", name, err)
		}
		_, trailer, err := messages(t.Context(), t, raw, &streams.ReadReq_Options{StreamOption: ofStream(name), CountOption: counted(1)})
		got := first(trailer, "stream-name")
		if printable := strings.IndexFunc(name, func(r rune) bool { return r < ' ' || r > '~' }) < 0; err == nil || got == "" || printable && got != name {
			t.Errorf("%q: the answer names %q (%v)", name, got, err)
		}
	}
}

func TestWhatIsNoName(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.append(t, "a", "x")
	raw := streams.NewStreamsClient(s.dial(t))
	longest := strings.Repeat("l", 4096)
	cases := map[string]struct {
		name string
		want codes.Code
	}{
		"nothing":                          {"", codes.Unknown},
		"the metastream of nothing":        {"$$", codes.Unknown},
		"bytes that are no text":           {"a\xffb", codes.InvalidArgument},
		"a rune that is cut off":           {"a\xe6\x97", codes.InvalidArgument},
		"half a surrogate pair":            {"\xed\xa0\x80", codes.InvalidArgument},
		"more than 4096 bytes":             {longest + "l", codes.InvalidArgument},
		"the metastream of too long a one": {"$$" + longest + "l", codes.InvalidArgument},
		"4096 bytes are a name":            {longest, codes.OK},
		"and its metastream has one":       {"$$" + longest, codes.OK},
	}
	for what, c := range cases {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			_, _, appended := send(ctx, t, raw, appendOptions(c.name), proposed("0e61bd8a-24d7-4a3f-8f0f-3c6f0a4d7a11", "x", []byte("{}")))
			_, _, read := messages(ctx, t, raw, &streams.ReadReq_Options{StreamOption: ofStream(c.name), CountOption: counted(1)})
			for call, err := range map[string]error{"append": appended, "read": read} {
				if status.Code(err) != c.want {
					t.Errorf("%s: %v, want %v", call, err, c.want)
				}
			}
			if c.want == codes.OK {
				return
			}
			_, deleted := raw.Delete(ctx, &streams.DeleteReq{Options: &streams.DeleteReq_Options{
				StreamIdentifier: identifier(c.name), ExpectedStreamRevision: &streams.DeleteReq_Options_Any{},
			}})
			_, ended := raw.Tombstone(ctx, &streams.TombstoneReq{Options: &streams.TombstoneReq_Options{
				StreamIdentifier: identifier(c.name), ExpectedStreamRevision: &streams.TombstoneReq_Options_Any{},
			}})
			_, _, followed := messages(ctx, t, raw, &streams.ReadReq_Options{StreamOption: ofStream(c.name), CountOption: subscribing()})
			for call, err := range map[string]error{"delete": deleted, "tombstone": ended, "subscribe": followed} {
				if status.Code(err) != c.want {
					t.Errorf("%s: %v, want %v", call, err, c.want)
				}
			}
		})
	}
}

func TestPrefixesOfNamesAreNotTakenForNames(t *testing.T) {
	t.Parallel()
	s := start(t)
	for i, name := range []string{"a", "ab", "a\x00", "a\x00b", "abc", "a-"} {
		for range i + 1 {
			s.append(t, name, "x")
		}
	}
	for i, name := range []string{"a", "ab", "a\x00", "a\x00b", "abc", "a-"} {
		var want []string
		for revision := range i + 1 {
			want = append(want, fmt.Sprintf("%s@%d", name, revision))
		}
		if got, err := s.read(t, name); err != nil || got != strings.Join(want, " ") {
			t.Errorf("%q reads %q, %v", name, got, err)
		}
	}
}
