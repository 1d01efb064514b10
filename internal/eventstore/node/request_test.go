package node_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/metadata"
)

// Requests as they are on the wire, for what the official client does not say or does not tell.

func identifier(stream string) *shared.StreamIdentifier {
	return &shared.StreamIdentifier{StreamName: []byte(stream)}
}

// appendOptions expects any revision unless told otherwise.
func appendOptions(stream string, change ...func(*streams.AppendReq_Options)) *streams.AppendReq {
	options := &streams.AppendReq_Options{
		StreamIdentifier:       identifier(stream),
		ExpectedStreamRevision: &streams.AppendReq_Options_Any{Any: &shared.Empty{}},
	}
	for _, f := range change {
		f(options)
	}
	return &streams.AppendReq{Content: &streams.AppendReq_Options_{Options: options}}
}

func proposed(id, kind string, data []byte) *streams.AppendReq {
	return &streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: &streams.AppendReq_ProposedMessage{
		Id:       &shared.UUID{Value: &shared.UUID_String_{String_: id}},
		Metadata: map[string]string{"type": kind, "content-type": "application/json"},
		Data:     data,
	}}}
}

// send makes one append of some messages, which must all be taken.
func send(ctx context.Context, t testing.TB, client streams.StreamsClient, messages ...*streams.AppendReq) (*streams.AppendResp, metadata.MD, error) {
	t.Helper()
	call, err := client.Append(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, message := range messages {
		if err := call.Send(message); err != nil {
			t.Errorf("the node did not listen to the end: %v", err)
		}
	}
	answer, err := call.CloseAndRecv()
	return answer, call.Trailer(), err
}

func ofStream(stream string) *streams.ReadReq_Options_Stream {
	return &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
		StreamIdentifier: identifier(stream),
		RevisionOption:   &streams.ReadReq_Options_StreamOptions_Start{Start: &shared.Empty{}},
	}}
}

func ofAll() *streams.ReadReq_Options_All {
	return &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{
		AllOption: &streams.ReadReq_Options_AllOptions_Start{Start: &shared.Empty{}},
	}}
}

func ofAllAt(commit, prepare uint64) *streams.ReadReq_Options_All {
	return &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{
		AllOption: &streams.ReadReq_Options_AllOptions_Position{
			Position: &streams.ReadReq_Options_Position{CommitPosition: commit, PreparePosition: prepare},
		},
	}}
}

func counted(n uint64) *streams.ReadReq_Options_Count {
	return &streams.ReadReq_Options_Count{Count: n}
}

func subscribing() *streams.ReadReq_Options_Subscription {
	return &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}}
}

// prefixes filters by the event's type.
func prefixes(every uint32, prefixes ...string) *streams.ReadReq_Options_Filter {
	return &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{
		Filter: &streams.ReadReq_Options_FilterOptions_EventType{
			EventType: &streams.ReadReq_Options_FilterOptions_Expression{Prefix: prefixes},
		},
		CheckpointIntervalMultiplier: every,
	}}
}

// messages reads a call to its end.
func messages(ctx context.Context, t testing.TB, client streams.StreamsClient, o *streams.ReadReq_Options) ([]*streams.ReadResp, metadata.MD, error) {
	t.Helper()
	call, err := client.Read(ctx, &streams.ReadReq{Options: o})
	if err != nil {
		t.Fatal(err)
	}
	var all []*streams.ReadResp
	for {
		message, err := call.Recv()
		if errors.Is(err, io.EOF) {
			return all, call.Trailer(), nil
		}
		if err != nil {
			return all, call.Trailer(), err
		}
		all = append(all, message)
	}
}

func first(md metadata.MD, key string) string {
	if values := md.Get(key); len(values) > 0 {
		return values[0]
	}
	return ""
}
