package node

import (
	"context"
	"encoding/base64"
	"log/slog"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

const (
	// maxDraining bounds the refused appends whose requests are read to their end; others are refused at once.
	maxDraining = 32
	// maxHeaderBytes is far more than a name and a password.
	maxHeaderBytes = 64 << 10
)

// Outcomes of asking callers who they are.
const (
	outcomeAccepted = "accepted"
	outcomeRefused  = "refused"
	outcomeBusy     = "busy"
)

// anybody are the calls that clients make before they say who they are: they never send credentials with them.
var anybody = map[string]bool{
	serverfeatures.ServerFeatures_GetSupportedMethods_FullMethodName: true,
	gossip.Gossip_Read_FullMethodName:                                true,
}

// Answers to who is not let in. Why, they do not say.
var (
	errUnauthenticated = status.Error(codes.Unauthenticated, "the user name or the password is wrong, or there is none")
	errManyLogins      = status.Error(codes.Unavailable, "too many logins at once")
)

// gate lets calls in that a user makes.
type gate struct {
	users    *Users
	logger   *slog.Logger
	asked    *prometheus.CounterVec
	draining chan struct{}
	refused  seldom
}

func newGate(users *Users, logger *slog.Logger, asked *prometheus.CounterVec) *gate {
	return &gate{users: users, logger: logger, asked: asked, draining: make(chan struct{}, maxDraining)}
}

func (g *gate) unary(ctx context.Context, request any, call *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if err := g.admit(ctx, call.FullMethod); err != nil {
		return nil, err
	}
	return handler(ctx, request)
}

func (g *gate) stream(service any, call grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if err := g.admit(call.Context(), info.FullMethod); err != nil {
		if info.FullMethod == streams.Streams_Append_FullMethodName {
			g.drain(call)
		}
		return err
	}
	return handler(service, call)
}

// admit is nil for a call that needs no user, and for a user's.
func (g *gate) admit(ctx context.Context, method string) error {
	if anybody[method] {
		return nil
	}
	name, password, ok := credentialsOf(ctx)
	if !ok {
		return g.refuse(ctx, "")
	}
	roll := g.users.current()
	right, err := roll.knows(ctx, name, password)
	switch {
	case err != nil && ctx.Err() != nil:
		return status.FromContextError(ctx.Err()).Err()
	case err != nil:
		g.asked.WithLabelValues(outcomeBusy).Inc()
		return errManyLogins
	case !right:
		if roll.hashes[name] == nil {
			name = "" // what is no user's name may be a password
		}
		return g.refuse(ctx, name)
	}
	g.asked.WithLabelValues(outcomeAccepted).Inc()
	return nil
}

// refuse logs some of the refusals; user is empty if it is nobody's name.
func (g *gate) refuse(ctx context.Context, user string) error {
	g.asked.WithLabelValues(outcomeRefused).Inc()
	refused, due := g.refused.happened()
	if !due {
		return errUnauthenticated
	}
	from := "unknown"
	if caller, ok := peer.FromContext(ctx); ok {
		from = caller.Addr.String()
	}
	g.logger.WarnContext(ctx, "calls were refused: no user's name and password", "calls", refused, "last_from", from, "last_user", user)
	return errUnauthenticated
}

// drain reads an append to its end: a client that is answered while it sends reports EOF instead of the answer.
func (g *gate) drain(call grpc.ServerStream) {
	select {
	case g.draining <- struct{}{}:
		defer func() { <-g.draining }()
	default:
		return
	}
	for received := 0; received <= 2*maxAppendBytes; {
		var message streams.AppendReq
		if call.RecvMsg(&message) != nil {
			return // the end, or the caller is gone
		}
		received += len(message.GetProposedMessage().GetData()) + len(message.GetProposedMessage().GetCustomMetadata()) + 1
	}
}

// credentialsOf reads the header of HTTP's basic authentication.
func credentialsOf(ctx context.Context) (name, password string, ok bool) {
	headers, _ := metadata.FromIncomingContext(ctx)
	values := headers.Get("authorization")
	if len(values) != 1 {
		return "", "", false
	}
	scheme, encoded, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "basic") {
		return "", "", false
	}
	text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(text), ":")
}

// access is what the options say of who gets in, and how.
func (n *Node) access() []grpc.ServerOption {
	options := []grpc.ServerOption{grpc.MaxHeaderListSize(maxHeaderBytes)}
	if n.options.Certificate != nil {
		options = append(options, grpc.Creds(transport(n.options.Certificate, n.logger)))
	}
	if n.options.Users != nil {
		g := newGate(n.options.Users, n.logger, n.logins)
		options = append(options, grpc.ChainUnaryInterceptor(g.unary), grpc.ChainStreamInterceptor(g.stream))
	}
	return options
}
