package node

import (
	"context"
	"net"
	"strconv"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

type gossipService struct {
	gossip.UnimplementedGossipServer

	id uuid.UUID
}

// Read names this node as the only one and the leader, at the address by which the caller reached it.
func (g gossipService) Read(ctx context.Context, _ *shared.Empty) (*gossip.ClusterInfo, error) {
	host, port, err := dialled(ctx)
	if err != nil {
		return nil, err
	}
	return &gossip.ClusterInfo{Members: []*gossip.MemberInfo{{
		InstanceId:   wireID(g.id),
		TimeStamp:    int64(eventlog.TicksOf(time.Now())),
		State:        gossip.MemberInfo_Leader,
		IsAlive:      true,
		HttpEndPoint: &gossip.EndPoint{Address: host, Port: port},
	}}}, nil
}

func dialled(ctx context.Context) (string, uint32, error) {
	headers, _ := metadata.FromIncomingContext(ctx)
	authority := headers.Get(":authority")
	if len(authority) == 0 {
		return "", 0, status.Error(codes.InvalidArgument, "the call names no authority")
	}
	host, text, err := net.SplitHostPort(authority[0])
	if err != nil {
		return "", 0, status.Errorf(codes.InvalidArgument, "the authority %q is not host:port", authority[0])
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, status.Errorf(codes.InvalidArgument, "the authority %q has no numeric port", authority[0])
	}
	return host, uint32(port), nil
}
