package node_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const someID = "0e61bd8a-24d7-4a3f-8f0f-3c6f0a4d7a11"

// TestSizes sends appends at the size rule's edge, and frames at that of the transport.
func TestSizes(t *testing.T) {
	t.Parallel()
	const limit, frame = 1 << 20, 16 << 20
	s := start(t)
	client := streams.NewStreamsClient(s.dial(t))
	framed := func(size int) *streams.AppendReq {
		message := proposed(someID, "t", make([]byte, size))
		message.GetProposedMessage().Data = make([]byte, size-(proto.Size(message)-size))
		return message
	}
	custom := proposed(someID, "t", nil)
	custom.GetProposedMessage().CustomMetadata = make([]byte, limit-1)
	cases := map[string]struct {
		messages []*streams.AppendReq
		want     codes.Code
		trailer  string
	}{
		"1 MiB of data and type":                      {[]*streams.AppendReq{proposed(someID, "t", make([]byte, limit-2))}, codes.OK, ""},
		"a byte more":                                 {[]*streams.AppendReq{proposed(someID, "t", make([]byte, limit-1))}, codes.InvalidArgument, "1048576"},
		"a type counts twice its UTF-16 length":       {[]*streams.AppendReq{proposed(someID, "🎉é", make([]byte, limit-6))}, codes.OK, ""},
		"a byte more than that":                       {[]*streams.AppendReq{proposed(someID, "🎉é", make([]byte, limit-5))}, codes.InvalidArgument, "1048576"},
		"metadata counts":                             {[]*streams.AppendReq{custom}, codes.InvalidArgument, "1048576"},
		"all events of an append count together":      {[]*streams.AppendReq{proposed(someID, "t", make([]byte, limit/2)), proposed(someID, "t", make([]byte, limit/2))}, codes.InvalidArgument, "1048576"},
		"a frame of 16 MiB meets the size rule":       {[]*streams.AppendReq{framed(frame)}, codes.InvalidArgument, "1048576"},
		"a larger one is too large for the transport": {[]*streams.AppendReq{framed(frame + 1)}, codes.ResourceExhausted, ""},
	}
	for rule, c := range cases {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			answer, trailer, err := send(ctx, t, client, append([]*streams.AppendReq{appendOptions(rule)}, c.messages...)...)
			if status.Code(err) != c.want || first(trailer, "maximum-append-size") != c.trailer {
				t.Errorf("%v, %v, %v, want %v", answer, trailer, err, c.want)
			}
			exception := ""
			if c.trailer != "" {
				exception = "maximum-append-size-exceeded"
			}
			if first(trailer, "exception") != exception {
				t.Errorf("trailers %v, want exception %q", trailer, exception)
			}
			if _, err := s.read(t, rule); (codeOf(err) == esdb.ErrorCodeResourceNotFound) != (c.want != codes.OK) {
				t.Errorf("the stream: %v", err)
			}
		})
	}
	t.Run("the client does not hang on a frame that is too large", func(t *testing.T) {
		t.Parallel()
		for _, size := range []int{frame, frame + 1, 20 << 20} {
			began := time.Now()
			large := proposal("t")
			large.Data = make([]byte, size)
			_, err := s.client.AppendToStream(t.Context(), "large", esdb.AppendToStreamOptions{}, large)
			if took := time.Since(began); err == nil || took > patience/2 {
				t.Errorf("%d bytes: %v after %v", size, err, took)
			}
		}
	})
}

// TestARefusedAppendIsReadUpToALimit: to the end, so that the client learns why, but not for ever.
func TestARefusedAppendIsReadUpToALimit(t *testing.T) {
	t.Parallel()
	s := start(t)
	client := streams.NewStreamsClient(s.dial(t))
	for what, filler := range map[string]*streams.AppendReq{
		"of large events":         proposed(someID, "t", make([]byte, 1<<20)),
		"of events with metadata": {Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: &streams.AppendReq_ProposedMessage{Metadata: map[string]string{"x": string(make([]byte, 1<<20))}}}},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		call, err := client.Append(ctx)
		if err != nil {
			t.Fatal(err)
		}
		sent := 0
		for ; err == nil && sent < 1000; sent++ {
			err = call.Send(filler) // options should have come first
		}
		if !errors.Is(err, io.EOF) || sent < 60 {
			t.Errorf("%s: after %d messages: %v, want an end after 64 MiB", what, sent, err)
		}
		if _, err := call.CloseAndRecv(); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v, want %v", what, err, codes.InvalidArgument)
		}
		cancel()
	}
}

// TestManySmallEventsAreOneAppend: the size rule alone bounds how many there are.
func TestManySmallEventsAreOneAppend(t *testing.T) {
	t.Parallel()
	s := start(t)
	const events = 5_000
	deadline := patience
	many := make([]esdb.EventData, events)
	for i := range many {
		many[i] = esdb.EventData{EventType: "t"}
	}
	result, err := s.client.AppendToStream(t.Context(), "a", esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}, Deadline: &deadline}, many...)
	if err != nil || result.NextExpectedVersion != events-1 || s.log.Head() != events {
		t.Errorf("%+v, %v, head %d", result, err, s.log.Head())
	}
}

// TestDeadlines carries the furthest one there is, and one that has passed.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.append(t, "a", "x")
	client := streams.NewStreamsClient(s.dial(t))
	const longest = time.Duration(1<<63 - 1)
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(longest))
	defer cancel()
	if _, _, err := send(ctx, t, client, appendOptions("a"), proposed(someID, "x", nil)); err != nil {
		t.Errorf("append by the year 2300: %v", err)
	}
	if got, _, err := messages(ctx, t, client, &streams.ReadReq_Options{StreamOption: ofAll(), CountOption: counted(9)}); err != nil || len(got) != 2 {
		t.Errorf("read by the year 2300: %d events, %v", len(got), err)
	}
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, _, err := messages(short, t, client, &streams.ReadReq_Options{StreamOption: ofAll(), CountOption: subscribing()}); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("a subscription for 100 ms: %v", err)
	}
}

// TestHeadersOfOtherClientsChangeNothing: without encryption nobody is asked who they are, whatever they say and whatever they do.
func TestHeadersOfOtherClientsChangeNothing(t *testing.T) {
	t.Parallel()
	s := start(t)
	client := streams.NewStreamsClient(s.dial(t))
	ctx := metadata.AppendToOutgoingContext(t.Context(), "connection-name", "c", "requires-leader", "true", "authorization", "Basic bm9ib2R5Om5vdGhpbmc=")
	for _, stream := range []string{"a", "$a", "$$a", "$$$$a", "$users", "$persistentsubscription-a::g-parked"} {
		if _, _, err := send(ctx, t, client, appendOptions(stream), proposed(someID, "$x", []byte("{}"))); err != nil {
			t.Errorf("append to %q: %v", stream, err)
		}
		got, _, err := messages(ctx, t, client, &streams.ReadReq_Options{StreamOption: ofStream(stream), CountOption: counted(9)})
		if err != nil || len(got) != 1 {
			t.Errorf("read %q: %v, %v", stream, got, err)
		}
	}
}
