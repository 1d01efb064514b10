package esdb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/esdb"
)

// scripted is a server that answers appends and subscriptions as a test says,
// to see what becomes of answers no healthy server gives.
type scripted struct {
	streams.UnimplementedStreamsServer

	appendAnswer func(call int, stream grpc.ServerStream) (*streams.AppendResp, error)
	subscription func(call int, after uint64, send func(*streams.ReadResp) error) error
	read         func(call int, options *streams.ReadReq_Options, send func(*streams.ReadResp) error) error
	head         uint64 // the last event's position, 0 in an empty log

	mu                            sync.Mutex
	appends, subscriptions, reads int
}

func (s *scripted) Append(stream streams.Streams_AppendServer) error {
	for {
		if _, err := stream.Recv(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
	}
	answer, err := s.appendAnswer(s.count(&s.appends), stream)
	if err != nil {
		return err
	}
	return stream.SendAndClose(answer)
}

func (s *scripted) Read(req *streams.ReadReq, stream streams.Streams_ReadServer) error {
	if options := req.GetOptions(); options.GetReadDirection() == streams.ReadReq_Options_Backwards {
		if s.head == 0 {
			return nil
		}
		return stream.Send(event(s.head, 0))
	} else if options.GetSubscription() == nil {
		return s.read(s.count(&s.reads), options, stream.Send)
	}
	call := s.count(&s.subscriptions)
	if err := stream.Send(&streams.ReadResp{Content: &streams.ReadResp_Confirmation{
		Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: "s"},
	}}); err != nil {
		return err
	}
	after := req.GetOptions().GetAll().GetPosition().GetCommitPosition()
	if err := s.subscription(call, after, stream.Send); errors.Is(err, errDone) {
		return nil // which no server does to a subscription
	} else if err != nil {
		return err
	}
	<-stream.Context().Done()
	return nil
}

func (s *scripted) count(calls *int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	*calls++
	return *calls
}

// event is one of stream s-1.
func event(position, revision uint64) *streams.ReadResp {
	id := uuid.New()
	return &streams.ReadResp{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
		Event: &streams.ReadResp_ReadEvent_RecordedEvent{
			Id:               &shared.UUID{Value: &shared.UUID_String_{String_: id.String()}},
			StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte("s-1")},
			StreamRevision:   revision,
			CommitPosition:   position, PreparePosition: position,
			Metadata: map[string]string{"type": "Odd", "content-type": "application/json", "created": "1"},
		},
		Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: position},
	}}}
}

func sendAll(send func(*streams.ReadResp) error, messages ...*streams.ReadResp) error {
	for _, m := range messages {
		if err := send(m); err != nil {
			return err
		}
	}
	return nil
}

func (s *scripted) url(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	streams.RegisterStreamsServer(server, s)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return "esdb://" + listener.Addr().String() + "?tls=false"
}

var errDone = errors.New("end the call as if all were well")

func TestWhatAnAppendIsTold(t *testing.T) {
	t.Parallel()
	success := &streams.AppendResp{Result: &streams.AppendResp_Success_{Success: &streams.AppendResp_Success{
		CurrentRevisionOption: &streams.AppendResp_Success_CurrentRevision{CurrentRevision: 7},
		PositionOption: &streams.AppendResp_Success_Position{
			Position: &streams.AppendResp_Position{CommitPosition: 9, PreparePosition: 9},
		},
	}}}
	wrong := &streams.AppendResp{Result: &streams.AppendResp_WrongExpectedVersion_{
		WrongExpectedVersion: &streams.AppendResp_WrongExpectedVersion{},
	}}
	fails := func(code codes.Code, message string) func(int, grpc.ServerStream) (*streams.AppendResp, error) {
		return func(int, grpc.ServerStream) (*streams.AppendResp, error) { return nil, status.Error(code, message) }
	}
	once := func(code codes.Code, then *streams.AppendResp) func(int, grpc.ServerStream) (*streams.AppendResp, error) {
		return func(call int, _ grpc.ServerStream) (*streams.AppendResp, error) {
			if call == 1 {
				return nil, status.Error(code, "once")
			}
			return then, nil
		}
	}
	deleted := func(trailer metadata.MD) func(int, grpc.ServerStream) (*streams.AppendResp, error) {
		return func(_ int, stream grpc.ServerStream) (*streams.AppendResp, error) {
			stream.SetTrailer(trailer)
			return nil, status.Error(codes.FailedPrecondition, "deleted")
		}
	}
	other := errors.New("an error that is none of ours")
	for name, test := range map[string]struct {
		answer func(int, grpc.ServerStream) (*streams.AppendResp, error)
		want   error
		calls  int // 0: several
	}{
		"written":                       {func(int, grpc.ServerStream) (*streams.AppendResp, error) { return success, nil }, nil, 1},
		"wrong revision":                {func(int, grpc.ServerStream) (*streams.AppendResp, error) { return wrong, nil }, events.ErrWrongRevision, 1},
		"too large for this server":     {fails(codes.InvalidArgument, "Maximum Append Size of 1 Exceeded."), events.ErrTooLarge, 1},
		"deleted":                       {deleted(metadata.Pairs("exception", "stream-deleted", "stream-name", "s")), events.ErrStreamDeleted, 1},
		"a trailer the client trips on": {deleted(metadata.Pairs("exception", "stream-deleted")), events.ErrOutcomeUnknown, 3},
		"no access":                     {fails(codes.PermissionDenied, "no"), other, 1},
		"no credentials":                {fails(codes.Unauthenticated, "no"), other, 1},
		"an argument it does not like":  {fails(codes.InvalidArgument, "no"), other, 1},
		"no room for it":                {fails(codes.ResourceExhausted, "the disk is full"), events.ErrStoreUnavailable, 1},
		"a larger frame than it takes":  {fails(codes.ResourceExhausted, "grpc: received message larger than max (9 vs. 8)"), events.ErrTooLarge, 1},
		"in doubt, then no room": {func(call int, _ grpc.ServerStream) (*streams.AppendResp, error) {
			if call == 1 {
				return nil, status.Error(codes.Aborted, "slow")
			}
			return nil, status.Error(codes.ResourceExhausted, "the disk is full")
		}, events.ErrOutcomeUnknown, 2},
		"a failure inside":        {fails(codes.Internal, "no"), events.ErrOutcomeUnknown, 3},
		"an unknown failure":      {fails(codes.Unknown, "no"), events.ErrOutcomeUnknown, 3},
		"never ready":             {fails(codes.Unavailable, "no"), events.ErrOutcomeUnknown, 0},
		"always too slow":         {fails(codes.Aborted, "no"), events.ErrOutcomeUnknown, 0},
		"not ready, then written": {once(codes.Unavailable, success), nil, 2},
		"too slow, then written":  {once(codes.Aborted, success), nil, 2},
		"failed, then written":    {once(codes.Internal, success), nil, 2},
		"in doubt, then refused":  {once(codes.Aborted, wrong), events.ErrWrongRevision, 2},
		"in doubt, then no access": {func(call int, _ grpc.ServerStream) (*streams.AppendResp, error) {
			if call == 1 {
				return nil, status.Error(codes.Aborted, "slow")
			}
			return nil, status.Error(codes.PermissionDenied, "no")
		}, events.ErrOutcomeUnknown, 2},
		"silence": {func(_ int, stream grpc.ServerStream) (*streams.AppendResp, error) {
			<-stream.Context().Done()
			return nil, status.FromContextError(stream.Context().Err()).Err()
		}, events.ErrOutcomeUnknown, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &scripted{appendAnswer: test.answer}
			store := open(t, server.url(t), esdb.Options{AppendTimeout: 2 * time.Second})
			began := time.Now()
			got, err := store.Append(t.Context(), "s-1", events.NoStream(), proposed(1))
			if took := time.Since(began); took > 2*time.Second+slack {
				t.Errorf("took %s", took)
			}
			ours := []error{
				events.ErrWrongRevision, events.ErrTooLarge, events.ErrStreamDeleted, events.ErrOutcomeUnknown, events.ErrStoreUnavailable,
			}
			for _, known := range ours {
				if errors.Is(err, known) != errors.Is(test.want, known) {
					t.Errorf("got %v, want %v", err, test.want)
				}
			}
			if (err == nil) != (test.want == nil) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if err == nil && got != (events.Appended{Revision: 7, Position: 9}) {
				t.Errorf("got %+v", got)
			}
			server.mu.Lock()
			defer server.mu.Unlock()
			if server.appends != test.calls && (test.calls != 0 || server.appends < 2) {
				t.Errorf("the server was asked %d times, want %d", server.appends, test.calls)
			}
		})
	}
}

// TestOddSubscriptions follows a server that does what none should.
func TestOddSubscriptions(t *testing.T) {
	t.Parallel()
	checkpoint := func(position uint64) *streams.ReadResp {
		return &streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{
			Checkpoint: &streams.ReadResp_Checkpoint{CommitPosition: position, PreparePosition: position},
		}}
	}
	caughtUp := &streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}}
	script := []struct {
		messages []*streams.ReadResp
		end      error
	}{
		{[]*streams.ReadResp{event(3, 0), event(5, 0), event(5, 0), event(4, 0)}, status.Error(codes.Aborted, "too slow")},
		{[]*streams.ReadResp{event(5, 0), checkpoint(math.MaxUint64), event(6, 0), checkpoint(9), checkpoint(8)}, errDone},
		{[]*streams.ReadResp{caughtUp, event(12, 0)}, status.Error(codes.Unavailable, "stopping")},
		{[]*streams.ReadResp{checkpoint(12), caughtUp, event(13, 0)}, nil},
	}
	var afters []uint64
	server := &scripted{subscription: func(call int, after uint64, send func(*streams.ReadResp) error) error {
		afters = append(afters, after) // one subscription at a time
		part := script[call-1]
		if err := sendAll(send, part.messages...); err != nil {
			return err
		}
		return part.end
	}}
	store := open(t, server.url(t), esdb.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	var got []string
	for m, err := range store.Subscribe(ctx, 2) {
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case m.Event != nil:
			got = append(got, "event "+m.Event.Position.String())
		case m.CaughtUp:
			got = append(got, "caught up")
		default:
			got = append(got, "checkpoint "+m.Checkpoint.String())
		}
		if m.Event != nil && m.Event.Position == 13 {
			break
		}
	}
	want := "event 3, event 5, event 6, checkpoint 9, caught up, event 12, caught up, event 13"
	if got := strings.Join(got, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for n, want := range []uint64{2, 5, 9, 12} {
		if n >= len(afters) || afters[n] != want {
			t.Fatalf("subscribed after %v, want the %d. after %d", afters, n+1, want)
		}
	}
}

// TestBrokenReads reads from a server that breaks off in the middle: a read goes
// on where it was.
func TestBrokenReads(t *testing.T) {
	t.Parallel()
	away := status.Error(codes.Unavailable, "stopping")
	collect := func(t *testing.T, seq iter.Seq2[events.Stored, error]) string {
		t.Helper()
		var got []string
		for e, err := range seq {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e.Position.String())
		}
		return strings.Join(got, " ")
	}
	for name, f := range map[string]events.Filter{"a stream": {Stream: "s-1"}, "a stream, by itself": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var froms []uint64
			server := &scripted{head: 45, read: func(call int, o *streams.ReadReq_Options, send func(*streams.ReadResp) error) error {
				froms = append(froms, o.GetStream().GetRevision())
				if call == 1 {
					return errors.Join(sendAll(send, event(10, 0), event(20, 1)), away)
				}
				return sendAll(send, event(30, 2), event(40, 3), event(50, 4))
			}}
			store := open(t, server.url(t), esdb.Options{})
			seq, want := store.Read(t.Context(), "s-1", 0), "10 20 30 40 50"
			if f.Stream != "" {
				seq, want = store.ReadAll(t.Context(), 0, f), "10 20 30 40"
			}
			if got := collect(t, seq); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if fmt.Sprint(froms) != "[0 2]" {
				t.Errorf("read from revisions %v, want 0, then 2", froms)
			}
		})
	}
	t.Run("the log", func(t *testing.T) {
		t.Parallel()
		server := &scripted{head: 40, read: func(call int, o *streams.ReadReq_Options, send func(*streams.ReadResp) error) error {
			if call == 1 {
				return errors.Join(sendAll(send, event(10, 0), event(20, 1)), away)
			}
			if at := o.GetAll().GetPosition().GetCommitPosition(); at != 20 {
				t.Errorf("read from %d, want 20", at)
			}
			return sendAll(send, event(20, 1), event(30, 2), event(40, 3), event(50, 4))
		}}
		store := open(t, server.url(t), esdb.Options{})
		if got := collect(t, store.ReadAll(t.Context(), 0, events.Filter{})); got != "10 20 30 40" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("a category, whose subscription ends as if all were well", func(t *testing.T) {
		t.Parallel()
		server := &scripted{head: 40, subscription: func(call int, after uint64, send func(*streams.ReadResp) error) error {
			if call == 1 {
				return errors.Join(sendAll(send, event(10, 0), event(20, 1)), errDone)
			}
			if after != 20 {
				t.Errorf("subscribed after %d, want 20", after)
			}
			return sendAll(send, event(30, 2), event(40, 3))
		}}
		store := open(t, server.url(t), esdb.Options{})
		if got := collect(t, store.ReadAll(t.Context(), 0, events.Filter{Category: "s"})); got != "10 20 30 40" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("an event that cannot be is no reason to try again", func(t *testing.T) {
		t.Parallel()
		server := &scripted{head: 40, read: func(_ int, _ *streams.ReadReq_Options, send func(*streams.ReadResp) error) error {
			return send(event(math.MaxUint64, 0))
		}}
		store := open(t, server.url(t), esdb.Options{})
		for e, err := range store.Read(t.Context(), "s-1", 0) {
			if err == nil || errors.Is(err, events.ErrStoreUnavailable) {
				t.Errorf("got %+v, %v", e, err)
			}
		}
		if n := server.count(&server.reads) - 1; n != 1 {
			t.Errorf("read %d times, want 1", n)
		}
	})
}
