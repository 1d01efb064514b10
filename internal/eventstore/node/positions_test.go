package node_test

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestPositionsInRequests reads and follows from places of all kinds.
func TestPositionsInRequests(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.append(t, "a", "x", "x", "x") // positions 1 to 3
	client := streams.NewStreamsClient(s.dial(t))
	const top = math.MaxUint64
	cases := map[string]struct {
		commit, prepare    uint64
		forward, backwards string
		want               codes.Code
	}{
		"the start": {0, 0, "1 2 3", "", codes.OK},
		"an event":  {2, 2, "2 3", "1", codes.OK},
		"a prepare position of its own is ignored":  {2, 1, "2 3", "1", codes.OK},
		"the next that there will be":               {4, 4, "", "3 2 1", codes.OK},
		"beyond the head":                           {5, 5, "", "", codes.OK},
		"the highest of all":                        {math.MaxInt64, math.MaxInt64, "", "", codes.OK},
		"the end":                                   {top, top, "", "3 2 1", codes.OK},
		"a commit before its prepare":               {1, 2, "", "", codes.InvalidArgument},
		"only half an end":                          {top, 0, "", "", codes.InvalidArgument},
		"more than a position can be":               {1 << 63, 1 << 63, "", "", codes.InvalidArgument},
		"a commit before the prepare that says end": {0, top, "", "", codes.InvalidArgument},
	}
	for rule, c := range cases {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			for direction, want := range map[streams.ReadReq_Options_ReadDirection]string{0: c.forward, 1: c.backwards} {
				got, _, err := messages(t.Context(), t, client, &streams.ReadReq_Options{
					StreamOption: ofAllAt(c.commit, c.prepare), ReadDirection: direction, CountOption: counted(math.MaxUint64),
				})
				if status.Code(err) != c.want || positions(got) != want {
					t.Errorf("%v: %q, %v, want %q, %v", direction, positions(got), err, want, c.want)
				}
			}
			call, err := client.Read(t.Context(), &streams.ReadReq{Options: &streams.ReadReq_Options{
				StreamOption: ofAllAt(c.commit, c.prepare), CountOption: subscribing(),
			}})
			if err != nil {
				t.Fatal(err)
			}
			message, err := call.Recv()
			if status.Code(err) != c.want || err == nil && message.GetConfirmation().GetSubscriptionId() == "" {
				t.Errorf("following: %v, %v, want %v", message, err, c.want)
			}
		})
	}
}

func positions(all []*streams.ReadResp) string {
	var text []string
	for _, m := range all {
		text = append(text, fmt.Sprint(m.GetEvent().GetCommitPosition()))
	}
	return strings.Join(text, " ")
}

// TestCountedReadsHoldEventsAlone: anything else ends the process of the official client.
func TestCountedReadsHoldEventsAlone(t *testing.T) {
	t.Parallel()
	s := start(t)
	for range 100 {
		s.append(t, "a", "x", "y")
	}
	client := streams.NewStreamsClient(s.dial(t))
	for what, o := range map[string]*streams.ReadReq_Options{
		"a stream":             {StreamOption: ofStream("a")},
		"the log":              {StreamOption: ofAll()},
		"the log, filtered":    {StreamOption: ofAll(), FilterOption: prefixes(1, "x", "y")},
		"for a younger client": {StreamOption: ofStream("a"), ControlOption: &streams.ReadReq_Options_ControlOption{Compatibility: 1}},
	} {
		o.CountOption = counted(math.MaxUint64)
		got, _, err := messages(t.Context(), t, client, o)
		if err != nil || len(got) != 200 {
			t.Errorf("%s: %d messages, %v, want 200", what, len(got), err)
		}
		for _, message := range got {
			e := message.GetEvent().GetEvent()
			if e == nil || e.GetCommitPosition() == 0 || e.GetPreparePosition() != e.GetCommitPosition() || message.GetEvent().GetLink() != nil ||
				message.GetEvent().GetCommitPosition() != e.GetCommitPosition() || len(e.GetMetadata()) != 3 {
				t.Fatalf("%s: %v", what, message)
			}
		}
	}
	got, _, err := messages(t.Context(), t, client, &streams.ReadReq_Options{StreamOption: ofStream("never"), CountOption: counted(1)})
	if err != nil || len(got) != 1 || string(got[0].GetStreamNotFound().GetStreamIdentifier().GetStreamName()) != "never" {
		t.Errorf("a stream that never was: %v, %v", got, err)
	}
	got, _, err = messages(t.Context(), t, client, &streams.ReadReq_Options{StreamOption: ofAll(), CountOption: counted(0)})
	if err != nil || len(got) != 0 {
		t.Errorf("no events at all: %v, %v", got, err)
	}
}

// TestACountedReadEndsAtTheHeadOfItsBeginning: it appends one more for each event it reads, and comes to an end.
func TestACountedReadEndsAtTheHeadOfItsBeginning(t *testing.T) {
	t.Parallel()
	const before = 1500 // more than flow control lets through before the first is read
	for _, direction := range []esdb.Direction{esdb.Forwards, esdb.Backwards} {
		for _, stream := range []string{"", "a"} {
			t.Run(fmt.Sprintf("direction %d of %q", direction, stream), func(t *testing.T) {
				t.Parallel()
				s := start(t)
				s.append(t, "a", slices.Repeat([]string{"x"}, before)...)
				writer := connect(t, s.url)
				n := 0
				for position := range s.everything(t, stream, direction) {
					n++
					if position > before {
						t.Fatalf("event %d stands at %d, %d were there before", n, position, before)
					}
					if _, err := writer.AppendToStream(t.Context(), "a", esdb.AppendToStreamOptions{}, proposal("x")); err != nil {
						t.Fatal(err)
					}
				}
				if n != before {
					t.Errorf("read %d events, want %d", n, before)
				}
			})
		}
	}
}

// everything reads the log, or a stream, from one end to the other: the events' positions.
func (s *server) everything(t *testing.T, stream string, direction esdb.Direction) iter.Seq[uint64] {
	t.Helper()
	var from esdb.StreamPosition = esdb.Start{}
	var fromAll esdb.AllPosition = esdb.Start{}
	if direction == esdb.Backwards {
		from, fromAll = esdb.End{}, esdb.End{}
	}
	var read *esdb.ReadStream
	var err error
	if stream == "" {
		read, err = s.client.ReadAll(t.Context(), esdb.ReadAllOptions{From: fromAll, Direction: direction}, math.MaxUint64)
	} else {
		read, err = s.client.ReadStream(t.Context(), stream, esdb.ReadStreamOptions{From: from, Direction: direction}, math.MaxUint64)
	}
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func(uint64) bool) {
		defer read.Close()
		for {
			event, err := read.Recv()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			if !yield(event.Event.Position.Commit) {
				return
			}
		}
	}
}

// TestIDsAsText: a client that asks for text gets text, for links and their targets too.
func TestIDsAsText(t *testing.T) {
	t.Parallel()
	s := start(t)
	client := streams.NewStreamsClient(s.dial(t))
	const target, link = someID, "6f1ed002-ab59-4f9c-b7ab-0c6c1d1f7e10"
	for _, c := range []struct{ stream, id, kind, data string }{{"a", target, "x", "{}"}, {"links", link, "$>", "0@a"}} {
		if _, _, err := send(t.Context(), t, client, appendOptions(c.stream), proposed(c.id, c.kind, []byte(c.data))); err != nil {
			t.Fatal(err)
		}
	}
	for text, content := range map[bool]*streams.ReadReq_Options_UUIDOption{
		true:  {Content: &streams.ReadReq_Options_UUIDOption_String_{String_: &shared.Empty{}}},
		false: {Content: &streams.ReadReq_Options_UUIDOption_Structured{Structured: &shared.Empty{}}},
	} {
		got, _, err := messages(t.Context(), t, client, &streams.ReadReq_Options{
			StreamOption: ofStream("links"), CountOption: counted(9), ResolveLinks: true, UuidOption: content,
		})
		if err != nil || len(got) != 1 {
			t.Fatalf("%v, %v", got, err)
		}
		event, linked := got[0].GetEvent().GetEvent().GetId(), got[0].GetEvent().GetLink().GetId()
		if text && (event.GetString_() != target || linked.GetString_() != link) {
			t.Errorf("text: %v, %v", event, linked)
		}
		if !text && (event.GetStructured().GetMostSignificantBits() != 0x0e61bd8a24d74a3f || linked.GetStructured() == nil) {
			t.Errorf("structured: %v, %v", event, linked)
		}
	}
}
