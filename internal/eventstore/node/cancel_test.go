package node_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tidings-io/tidings/internal/eventstore/node"
	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// slowDisk holds each sync while it is told to.
type slowDisk struct {
	slow    atomic.Bool
	held    chan struct{} // gets a value when a sync begins to wait
	release chan struct{}
}

func (d *slowDisk) open(t *testing.T) *eventlog.Log {
	t.Helper()
	d.held, d.release = make(chan struct{}, 100), make(chan struct{})
	disk := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData {
			if d.slow.Load() {
				d.held <- struct{}{}
				<-d.release
			}
		}
		return nil
	}))
	log, err := eventlog.Open("store", eventlog.Options{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	return log
}

// TestACancelledAppendIsNotWritten, be it cancelled before its request is complete or while it waits behind another's commit. One that is
// cancelled during its commit is written, and its repeat is recognized.
func TestACancelledAppendIsNotWritten(t *testing.T) {
	t.Parallel()
	disk := &slowDisk{}
	s := serve(t, disk.open(t), node.Options{})
	client := streams.NewStreamsClient(s.dial(t))
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	// begin sends an append; what it returns cancels it, after the node has all that was sent: calls of one connection are in order.
	begin := func(stream string, complete bool) (end func(), failed func() error) {
		ctx, cancel := context.WithCancel(ctx)
		call, err := client.Append(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range []*streams.AppendReq{appendOptions(stream), proposed(someID, "x", []byte("{}"))} {
			if err := call.Send(m); err != nil {
				t.Fatal(err)
			}
		}
		if complete {
			if err := call.CloseSend(); err != nil {
				t.Fatal(err)
			}
		}
		return func() {
			s.roundTrip(ctx, t, client)
			cancel()
		}, func() error { return call.RecvMsg(&streams.AppendResp{}) }
	}
	cancelIncomplete, incomplete := begin("incomplete", false)
	cancelIncomplete()

	disk.slow.Store(true)
	cancelCommitting, committing := begin("committing", true)
	<-disk.held
	cancelWaiting, waiting := begin("waiting", true)
	cancelWaiting()
	cancelCommitting()
	for what, failed := range map[string]func() error{"incomplete": incomplete, "waiting": waiting, "committing": committing} {
		if err := failed(); status.Code(err) != codes.Canceled {
			t.Errorf("%s: %v, want %v", what, err, codes.Canceled)
		}
	}
	s.roundTrip(ctx, t, client) // the node has seen the cancellations
	disk.slow.Store(false)
	close(disk.release)

	s.append(t, "after", "x")
	all, _, err := messages(ctx, t, client, &streams.ReadReq_Options{StreamOption: ofAll(), CountOption: counted(9)})
	if err != nil || len(all) != 2 || name(all[0].GetEvent().GetEvent()) != "committing@0" || name(all[1].GetEvent().GetEvent()) != "after@0" {
		t.Errorf("the log has %v, %v, want the one that was being committed, and the one after", all, err)
	}
	answer, _, err := send(ctx, t, client, appendOptions("committing"), proposed(someID, "x", []byte("{}")))
	if err != nil || answer.GetSuccess().GetPosition().GetCommitPosition() != 1 {
		t.Errorf("it again: %v, %v, want its position 1", answer, err)
	}
}

// roundTrip returns when the node has taken up what this connection sent before.
func (s *server) roundTrip(ctx context.Context, t *testing.T, client streams.StreamsClient) {
	t.Helper()
	if _, _, err := messages(context.WithoutCancel(ctx), t, client, &streams.ReadReq_Options{StreamOption: ofAll(), CountOption: counted(1)}); err != nil {
		t.Error(err)
	}
}
