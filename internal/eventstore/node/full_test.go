package node_test

import (
	"context"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tidings-io/tidings/internal/eventstore/node"
	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// smallDisk says how much of it is free.
type smallDisk struct {
	vfs.FS

	free atomic.Uint64
}

func (d *smallDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	const total = 100 << 30
	return vfs.DiskUsage{AvailBytes: d.free.Load(), TotalBytes: total, UsedBytes: total - d.free.Load()}, nil
}

// TestAFullDiskRefusesWritesAlone: with ResourceExhausted and what to do; reading and following go on; room is noticed by itself.
func TestAFullDiskRefusesWritesAlone(t *testing.T) {
	t.Parallel()
	disk := &smallDisk{FS: vfs.NewMem()}
	disk.free.Store(50 << 30)
	log, err := eventlog.Open("store", eventlog.Options{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	registry := prometheus.NewPedanticRegistry()
	s := serve(t, log, node.Options{Registerer: registry})
	client := streams.NewStreamsClient(s.dial(t))
	s.append(t, "a", "x")
	disk.free.Store(1 << 20)
	eventually(t, "refusal", func() bool {
		_, _, err = send(t.Context(), t, client, appendOptions("b"), proposed(someID, "x", nil))
		return err != nil
	})
	if status.Code(err) != codes.ResourceExhausted || !strings.Contains(status.Convert(err).Message(), "make room") {
		t.Errorf("append: %v, want %v that says what to do", err, codes.ResourceExhausted)
	}
	_, err = client.Delete(t.Context(), &streams.DeleteReq{Options: &streams.DeleteReq_Options{
		StreamIdentifier: identifier("a"), ExpectedStreamRevision: &streams.DeleteReq_Options_Any{Any: &shared.Empty{}},
	}})
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("delete: %v, want %v", err, codes.ResourceExhausted)
	}
	if _, err := s.client.AppendToStream(t.Context(), "a", esdb.AppendToStreamOptions{}, proposal("x")); codeOf(err) != esdb.ErrorCodeUnknown || !contains(err, "full") {
		t.Errorf("through the client: %v", err)
	}
	if got, err := s.read(t, "a"); err != nil || got != "a@0" {
		t.Errorf("reading: %q, %v", got, err)
	}
	f := follow(t.Context(), t, s.dial(t), &streams.ReadReq_Options{StreamOption: ofStream("a")})
	f.until("caught-up")
	if got := gather(t, registry); got["tidings_node_appends_total full"] < 2 || got["tidings_node_appends_total failed"] != 0 {
		t.Errorf("metrics %v, want at least 2 appends as full and none as failed", got)
	}
	disk.free.Store(50 << 30)
	eventually(t, "room", func() bool {
		_, err := s.client.AppendToStream(t.Context(), "a", esdb.AppendToStreamOptions{}, proposal("x"))
		return err == nil
	})
	if word := f.word(); word != "a@1" {
		t.Errorf("the follower heard %q", word)
	}
}

// TestAClosedLogIsANodeThatIsNotReady: clients look for another, or for this one again.
func TestAClosedLogIsANodeThatIsNotReady(t *testing.T) {
	t.Parallel()
	s := start(t)
	if err := s.log.Close(); err != nil {
		t.Fatal(err)
	}
	client := streams.NewStreamsClient(s.dial(t))
	_, _, appended := send(t.Context(), t, client, appendOptions("a"), proposed(someID, "x", nil))
	_, _, read := messages(t.Context(), t, client, &streams.ReadReq_Options{StreamOption: ofStream("a"), CountOption: counted(1)})
	for call, err := range map[string]error{"append": appended, "read": read} {
		if status.Code(err) != codes.Unavailable || status.Convert(err).Message() != "Server Is Not Ready" {
			t.Errorf("%s: %v", call, err)
		}
	}
}

// TestStoppingWhileTheDiskIsFull: an append whose write waits for room does not keep the node from stopping, nor the log from closing.
func TestStoppingWhileTheDiskIsFull(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes 6 s: a stop is patient with calls")
	}
	disk := &smallDisk{}
	disk.free.Store(50 << 30)
	var full atomic.Bool
	waiting := make(chan struct{}, 100)
	disk.FS = errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && (op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpFileWriteAt) {
			disk.free.Store(0)
			waiting <- struct{}{}
			return syscall.ENOSPC
		}
		return nil
	}))
	log, err := eventlog.Open("store", eventlog.Options{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, log, node.Options{})
	s.append(t, "a", "x")
	full.Store(true)
	answered := make(chan error, 1)
	go func() {
		_, err := s.client.AppendToStream(context.Background(), "a", esdb.AppendToStreamOptions{}, proposal("x"))
		answered <- err
	}()
	<-waiting
	began := time.Now()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > patience/2 {
		t.Errorf("stopping took %v", took)
	}
	_ = log.Close() // it may complain; what counts is that it ends
	if err := <-answered; err == nil {
		t.Error("the append was acknowledged")
	}
}
