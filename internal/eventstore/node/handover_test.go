package node_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/cockroachdb/pebble/v2/vfs"
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

// TestHandOver has subscribers start at random moments while writers write: each sees every event once, in order.
func TestHandOver(t *testing.T) {
	t.Parallel()
	const writers, each, subscribers = 4, 150, 6
	const all = writers * each
	s := startSmall(t)
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for range each / 3 {
				s.append(t, fmt.Sprint("s", w), "x", "x", "x")
			}
		})
	}
	for i := range subscribers {
		group.Go(func() {
			// The next one starts when the log has grown some more.
			for target := eventlog.Position(i * all / subscribers / 2); ; {
				head, moved := s.log.Moved()
				if head >= target {
					break
				}
				<-moved
			}
			s.hearAll(t, all)
		})
		group.Go(func() { s.hearStream(t, fmt.Sprint("s", i%writers), each) })
	}
	group.Wait()
}

func (s *server) hearAll(t *testing.T, events uint64) {
	t.Helper()
	subscription, err := s.client.SubscribeToAll(context.Background(), esdb.SubscribeToAllOptions{From: esdb.Start{}})
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = subscription.Close() }()
	timer := patiently(func() { _ = subscription.Close() })
	defer timer.Stop()
	for next := uint64(1); next <= events; {
		message := subscription.Recv()
		if message.SubscriptionDropped != nil {
			t.Errorf("dropped at %d: %v", next, message.SubscriptionDropped.Error)
			return
		}
		if message.EventAppeared == nil {
			continue
		}
		if got := message.EventAppeared.Event.Position.Commit; got != next {
			t.Errorf("position %d where %d belongs", got, next)
			return
		}
		next++
	}
}

func (s *server) hearStream(t *testing.T, stream string, events uint64) {
	t.Helper()
	subscription, err := s.client.SubscribeToStream(context.Background(), stream, esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = subscription.Close() }()
	timer := patiently(func() { _ = subscription.Close() })
	defer timer.Stop()
	for next := uint64(0); next < events; {
		message := subscription.Recv()
		if message.SubscriptionDropped != nil {
			t.Errorf("%s dropped at %d: %v", stream, next, message.SubscriptionDropped.Error)
			return
		}
		if message.EventAppeared == nil {
			continue
		}
		if got := message.EventAppeared.Event.EventNumber; got != next {
			t.Errorf("revision %d of %s where %d belongs", got, stream, next)
			return
		}
		next++
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
