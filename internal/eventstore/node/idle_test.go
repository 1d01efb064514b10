package node_test

import (
	"context"
	"flag"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

var soak = flag.Bool("soak", false, "run TestSoakIdleSubscription: three minutes of silence")

// TestIdleSubscription: a subscription over which nothing comes for longer than the client's and the node's keepalive is still there.
func TestIdleSubscription(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes 45 s: keepalive is a matter of tens of seconds")
	}
	stayIdle(t, 45*time.Second)
}

// TestSoakIdleSubscription is for make soak.
func TestSoakIdleSubscription(t *testing.T) {
	t.Parallel()
	if !*soak {
		t.Skip("takes 3 minutes: -soak")
	}
	stayIdle(t, 3*time.Minute)
}

func stayIdle(t *testing.T, silence time.Duration) {
	t.Helper()
	s := start(t)
	idle := connect(t, s.url) // its connection has nothing else to do
	var all []*esdb.Subscription
	for _, filter := range []*esdb.SubscriptionFilter{nil, byType("x")} {
		subscription, err := idle.SubscribeToAll(context.Background(), esdb.SubscribeToAllOptions{From: esdb.End{}, Filter: filter})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, subscription)
	}
	subscription, err := idle.SubscribeToStream(context.Background(), "a", esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	all = append(all, subscription)
	heard := make(chan string, len(all))
	for _, subscription := range all {
		defer func() { _ = subscription.Close() }()
		hear(t, subscription, "caught-up")
		go func() {
			message := subscription.Recv()
			switch {
			case message.EventAppeared != nil:
				heard <- message.EventAppeared.OriginalEvent().StreamID
			case message.SubscriptionDropped != nil:
				heard <- "dropped: " + message.SubscriptionDropped.Error.Error()
			default:
				heard <- "something else"
			}
		}()
	}
	select {
	case word := <-heard:
		t.Fatalf("in the silence: %s", word)
	case <-time.After(silence):
	}
	s.append(t, "a", "x")
	for range all {
		select {
		case word := <-heard:
			if word != "a" {
				t.Errorf("after the silence: %s", word)
			}
		case <-time.After(patience):
			t.Fatal("after the silence a subscriber hears nothing")
		}
	}
}
