package node_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tidings-io/tidings/internal/eventstore/node"
	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// startSmall keeps so few events in memory that subscribers fall behind all the time.
func startSmall(t testing.TB) *server {
	t.Helper()
	log, err := eventlog.Open("store", eventlog.Options{FS: vfs.NewMem(), RingEvents: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return serve(t, log, node.Options{})
}

// joining is a subscriber of the hand-over test: to what it subscribes, from where, and what it heard.
type joining struct {
	what, from, stream string
	moment             int    // it starts when so many events are there
	after              uint64 // the position or revision it starts from, in the middle

	before, confirmed eventlog.Position // the head before it asked, and when it was answered
	heard             []uint64          // positions
}

// TestHandOver has subscribers of all kinds start at random moments while writers write, so few events being kept in memory that all of
// them fall behind all the time: each sees every event after its start once, in order.
func TestHandOver(t *testing.T) {
	t.Parallel()
	const writers, each, subscribers = 4, 150, 27
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	s := startSmall(t)
	connection := s.dial(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	var writing, joined, hearing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for range each / 3 {
				s.append(t, fmt.Sprint("s", w), "x", "x", "x")
			}
		})
	}
	all := make([]*joining, subscribers)
	for i := range all {
		j := &joining{
			what: []string{"all", "stream", "filtered"}[i%3], from: []string{"start", "middle", "end"}[i/3%3],
			stream: fmt.Sprint("s", random.IntN(writers)), moment: random.IntN(writers * each * 9 / 10),
		}
		j.after = uint64(j.moment / 2 / writers)
		all[i] = j
		joined.Add(1)
		hearing.Go(func() {
			call := j.subscribe(ctx, t, s, connection)
			joined.Done()
			j.hear(t, call, writers)
		})
	}
	writing.Wait()
	joined.Wait()
	for w := range writers {
		s.append(t, fmt.Sprint("s", w), "end")
	}
	hearing.Wait()
	for _, j := range all {
		j.check(t, s.log)
	}
}

func (j *joining) subscribe(ctx context.Context, t *testing.T, s *server, connection *grpc.ClientConn) streams.Streams_ReadClient {
	for {
		head, moved := s.log.Moved()
		if j.before = head; head >= eventlog.Position(j.moment) {
			break
		}
		<-moved
	}
	call, err := streams.NewStreamsClient(connection).Read(ctx, &streams.ReadReq{Options: j.options()})
	if err == nil {
		_, err = call.Recv()
	}
	if err != nil {
		t.Errorf("%+v: %v", j, err)
	}
	j.confirmed = s.log.Head()
	return call
}

func (j *joining) options() *streams.ReadReq_Options {
	o := &streams.ReadReq_Options{CountOption: subscribing()}
	if j.what == "stream" {
		from := ofStream(j.stream)
		switch j.from {
		case "middle":
			from.Stream.RevisionOption = &streams.ReadReq_Options_StreamOptions_Revision{Revision: j.after}
		case "end":
			from.Stream.RevisionOption = &streams.ReadReq_Options_StreamOptions_End{End: &shared.Empty{}}
		}
		o.StreamOption = from
		return o
	}
	from := ofAll()
	switch j.from {
	case "middle":
		from = ofAllAt(j.after, j.after)
	case "end":
		from.All.AllOption = &streams.ReadReq_Options_AllOptions_End{End: &shared.Empty{}}
	}
	o.StreamOption = from
	if j.what == "filtered" {
		o.FilterOption = prefixes(1)
		o.GetFilter().Filter = &streams.ReadReq_Options_FilterOptions_StreamIdentifier{
			StreamIdentifier: &streams.ReadReq_Options_FilterOptions_Expression{Prefix: []string{j.stream}},
		}
	}
	return o
}

// hear takes events until the last of its stream, or of all of them.
func (j *joining) hear(t *testing.T, call streams.Streams_ReadClient, writers int) {
	for ends := 0; ends == 0 || j.what == "all" && ends < writers; {
		message, err := call.Recv()
		if err != nil {
			t.Errorf("%s from %s: after %d events: %v", j.what, j.from, len(j.heard), err)
			return
		}
		if e := message.GetEvent().GetEvent(); e != nil {
			j.heard = append(j.heard, e.GetCommitPosition())
			if e.GetMetadata()["type"] == "end" {
				ends++
			}
		}
	}
}

// check compares with what the log holds.
func (j *joining) check(t *testing.T, log *eventlog.Log) {
	t.Helper()
	var want []uint64
	first := 0 // how many of them lie before its start
	for next := eventlog.Position(1); next <= log.Head(); {
		page, err := log.Forward(next, eventlog.Page)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page {
			next = r.Position + 1
			if j.what != "all" && r.Stream != j.stream {
				continue
			}
			want = append(want, uint64(r.Position))
			if j.from == "middle" && (j.what == "stream" && uint64(r.Revision) <= j.after || j.what != "stream" && uint64(r.Position) <= j.after) {
				first++
			}
		}
	}
	if j.from == "end" {
		first = max(0, len(want)-len(j.heard))
		if first > 0 && want[first-1] > uint64(j.confirmed) || first < len(want) && want[first] <= uint64(j.before) {
			t.Errorf("%s from the end, %d when it asked, %d when it was answered: it begins with %d", j.what, j.before, j.confirmed, want[first])
		}
	}
	if !slices.Equal(j.heard, want[first:]) {
		t.Errorf("%s from %s %d, at moment %d: heard %v, want %v", j.what, j.from, j.after, j.moment, j.heard, want[first:])
	}
}

func TestStopEndsSubscriptionsAsUnavailable(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.append(t, "a", "x")
	all, err := s.client.SubscribeToAll(context.Background(), esdb.SubscribeToAllOptions{From: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	one, err := s.client.SubscribeToStream(context.Background(), "a", esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, subscription := range []*esdb.Subscription{all, one} {
		defer func() { _ = subscription.Close() }()
		if got, want := hear(t, subscription, "caught-up"), "a@0 caught-up"; got != want {
			t.Fatalf("heard %q, want %q", got, want)
		}
	}
	began := time.Now()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("stopping took %v", took)
	}
	for _, subscription := range []*esdb.Subscription{all, one} {
		message := subscription.Recv()
		if message.SubscriptionDropped == nil || status.Code(message.SubscriptionDropped.Error) != codes.Unavailable {
			t.Errorf("after the stop: %+v, want Unavailable", message)
		}
	}
}

func TestServeReportsItsListenersError(t *testing.T) {
	t.Parallel()
	s := start(t)
	listener := closedListener(t)
	if err := node.New(s.log, node.Options{}).Serve(t.Context(), listener); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("serve on a closed listener: %v", err)
	}
}
