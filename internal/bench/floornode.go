package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

// floorNodeCommand serves the floor of the node: the same protocol, the same library with the same limits, and events that are put
// into a map.
type floorNodeCommand struct{}

// Run serves until ctx ends.
func (floorNodeCommand) Run(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := newFloorNode()
	context.AfterFunc(ctx, server.Stop)
	fmt.Println("ready esdb://" + listener.Addr().String() + "?tls=false")
	return server.Serve(listener)
}

func newFloorNode() *grpc.Server {
	server := grpc.NewServer( // as node has it, but for what the node does to be faster
		grpc.MaxRecvMsgSize(16<<20),
		grpc.MaxSendMsgSize(17<<20),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	)
	streams.RegisterStreamsServer(server, &floorNode{streams: map[string][]*streams.AppendReq_ProposedMessage{}})
	return server
}

type floorNode struct {
	streams.UnimplementedStreamsServer

	mu       sync.Mutex
	streams  map[string][]*streams.AppendReq_ProposedMessage
	position uint64
}

// Append keeps the events.
func (f *floorNode) Append(call streams.Streams_AppendServer) error {
	first, err := call.Recv()
	if err != nil {
		return err
	}
	var events []*streams.AppendReq_ProposedMessage
	for {
		message, err := call.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		events = append(events, message.GetProposedMessage())
	}
	revision, position := f.keep(string(first.GetOptions().GetStreamIdentifier().GetStreamName()), events)
	return call.SendAndClose(&streams.AppendResp{Result: &streams.AppendResp_Success_{Success: &streams.AppendResp_Success{
		CurrentRevisionOption: &streams.AppendResp_Success_CurrentRevision{CurrentRevision: revision},
		PositionOption: &streams.AppendResp_Success_Position{Position: &streams.AppendResp_Position{
			CommitPosition: position, PreparePosition: position,
		}},
	}}})
}

func (f *floorNode) keep(stream string, events []*streams.AppendReq_ProposedMessage) (revision, position uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, event := range events {
		event.Metadata["created"] = "17637408000000000" // readers end their program when it is missing
	}
	f.streams[stream] = append(f.streams[stream], events...)
	f.position += uint64(len(events))
	return uint64(len(f.streams[stream]) - 1), f.position
}

// Read is a subscription from the start to all that was kept when it began; then it waits.
func (f *floorNode) Read(_ *streams.ReadReq, call streams.Streams_ReadServer) error {
	if err := call.Send(&streams.ReadResp{Content: &streams.ReadResp_Confirmation{
		Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: "floor"},
	}}); err != nil {
		return err
	}
	f.mu.Lock()
	kept := maps.Clone(f.streams)
	f.mu.Unlock()
	position := uint64(0)
	for stream, events := range kept {
		for n, event := range events {
			position++
			if err := call.Send(answerOf(stream, uint64(n), position, event)); err != nil {
				return err
			}
		}
	}
	<-call.Context().Done()
	return call.Context().Err()
}

func answerOf(stream string, revision, position uint64, event *streams.AppendReq_ProposedMessage) *streams.ReadResp {
	return &streams.ReadResp{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
		Event: &streams.ReadResp_ReadEvent_RecordedEvent{
			Id:               event.GetId(),
			StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(stream)},
			StreamRevision:   revision,
			PreparePosition:  position,
			CommitPosition:   position,
			Metadata:         event.GetMetadata(),
			CustomMetadata:   event.GetCustomMetadata(),
			Data:             event.GetData(),
		},
		Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: position},
	}}}
}
