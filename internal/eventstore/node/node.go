package node

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/projections"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/tidings-io/tidings/internal/certificate"
	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

const (
	// maxReceiveBytes lets a frame that a real node accepts through to the append's own size rule.
	maxReceiveBytes = 16 << 20
	// maxSendBytes is what the client accepts.
	maxSendBytes = 17 << 20
	// minPing is half the client's keepalive interval; pings that come more often end the connection.
	minPing = 5 * time.Second
	// deadPeer: a peer that is silent for so long, and for as long again after a ping, is gone.
	deadPeer = 10 * time.Second
	// greetWithin is how long a new connection may take until it speaks gRPC.
	greetWithin = 10 * time.Second
	// callWorkers are goroutines that serve one call after another. Their stacks have grown already, which takes a tenth off the CPU of
	// an append; calls beyond them, and beside subscriptions that keep them busy, get goroutines of their own.
	callWorkers = 128
	// stopWithin bounds a graceful stop; calls that still run then are cut off.
	stopWithin = 5 * time.Second
	// stuckWithin is how long calls that were cut off may take to notice.
	stuckWithin = time.Second
)

// Options of a node. The zero value works.
type Options struct {
	// Registerer gets the node's metrics; nil: none are kept.
	Registerer prometheus.Registerer
	// Logger gets the node's own faults; nil: none.
	Logger *slog.Logger
	// Certificate makes the node speak TLS, 1.2 or later; nil: everything is in clear.
	Certificate *certificate.Certificate
	// Users are those whose calls are answered, but for the two that clients make before they say who they are (GetSupportedMethods and
	// Gossip's Read); nil: nobody is asked. Without Certificate passwords cross the network in clear.
	Users *Users
}

// Node serves one log. It does not own it: close the log after Serve has returned.
type Node struct {
	log     *eventlog.Log
	logger  *slog.Logger
	metrics *metrics
	id      uuid.UUID
	options Options
	logins  *prometheus.CounterVec // by outcome
}

// New prepares a node for a log.
func New(log *eventlog.Log, o Options) *Node {
	logger := o.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	m := newMetrics(o.Registerer, log)
	log.OnCommit(m.committed)
	return &Node{log: log, logger: logger, metrics: m, id: uuid.New(), options: o, logins: newLogins(o)}
}

// Serve answers calls on the listener until ctx is done, then ends subscriptions with Unavailable, lets other calls finish for up to
// five seconds, and returns nil. It closes the listener. After an error of the listener it returns that error. Calls that wait for the
// disk even then end when the log is closed.
func (n *Node) Serve(ctx context.Context, listener net.Listener) error {
	server := grpc.NewServer(append(n.access(),
		grpc.ForceServerCodecV2(newEventCodec()),
		grpc.MaxRecvMsgSize(maxReceiveBytes),
		grpc.MaxSendMsgSize(maxSendBytes),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPing, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: deadPeer, Timeout: deadPeer}),
		grpc.ConnectionTimeout(greetWithin),
		grpc.WaitForHandlers(true),
		grpc.NumStreamWorkers(callWorkers),
	)...)
	n.register(server, ctx.Done())

	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		server.Stop()
		return fmt.Errorf("serve the event store on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	cutOff := time.AfterFunc(stopWithin, server.Stop)
	defer cutOff.Stop()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		server.GracefulStop()
	}()
	select {
	case <-stopped:
		_ = <-served // nil after a stop
	case <-time.After(stopWithin + stuckWithin):
		// They wait for a disk that is full, or does not answer, whoever has gone meanwhile. Closing the log ends them.
		n.logger.ErrorContext(ctx, "event store calls do not end: they wait for the disk")
	}
	return nil
}

func (n *Node) register(server *grpc.Server, stopping <-chan struct{}) {
	streams.RegisterStreamsServer(server, &streamsService{node: n, stopping: stopping})
	serverfeatures.RegisterServerFeaturesServer(server, featuresService{})
	gossip.RegisterGossipServer(server, gossipService{id: n.id})
	persistent.RegisterPersistentSubscriptionsServer(server, persistent.UnimplementedPersistentSubscriptionsServer{})
	projections.RegisterProjectionsServer(server, projections.UnimplementedProjectionsServer{})
}

// streamsService answers the Streams calls of one Serve.
type streamsService struct {
	streams.UnimplementedStreamsServer

	node     *Node
	stopping <-chan struct{} // closed when Serve ends
}
