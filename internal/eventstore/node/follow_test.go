package node_test

import (
	"context"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestFollowingADeletedStream waits for it to begin again, from wherever it is followed.
func TestFollowingADeletedStream(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.append(t, "a", "x", "x")
	if _, err := s.client.DeleteStream(t.Context(), "a", esdb.DeleteStreamOptions{}); err != nil {
		t.Fatal(err)
	}
	var all []*esdb.Subscription
	for _, from := range []esdb.StreamPosition{esdb.Start{}, esdb.End{}, esdb.Revision(0), esdb.Revision(1)} {
		subscription, err := s.client.SubscribeToStream(context.Background(), "a", esdb.SubscribeToStreamOptions{From: from})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = subscription.Close() }()
		if got := hear(t, subscription, "caught-up"); got != "caught-up" {
			t.Errorf("from %v: heard %q of a deleted stream", from, got)
		}
		all = append(all, subscription)
	}
	s.append(t, "a", "x")
	for i, subscription := range all {
		if got := hear(t, subscription, "a@2"); got != "a@2" {
			t.Errorf("subscription %d heard %q, want a@2", i, got)
		}
	}
}

// TestTruncationIsForHistory: what is appended is delivered, even if it would be hidden from who comes later.
func TestTruncationIsForHistory(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.append(t, "a", "x", "x")
	s.setRaw(t, "a", `{"$maxCount":1,"$tb":4}`, esdb.ContentTypeJson)
	subscribe := func() *esdb.Subscription {
		subscription, err := s.client.SubscribeToStream(context.Background(), "a", esdb.SubscribeToStreamOptions{From: esdb.Start{}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = subscription.Close() })
		return subscription
	}
	early := subscribe()
	got := hear(t, early, "caught-up")
	s.append(t, "a", "x", "x", "x", "x")
	if got += " " + hear(t, early, "a@5"); got != "caught-up a@2 a@3 a@4 a@5" {
		t.Errorf("heard %q", got)
	}
	if got := hear(t, subscribe(), "caught-up"); got != "a@5 caught-up" {
		t.Errorf("who comes later heard %q", got)
	}
	meta, err := s.client.SubscribeToStream(context.Background(), "$$a", esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = meta.Close() }()
	s.setRaw(t, "a", `{}`, esdb.ContentTypeJson)
	if got := hear(t, meta, "$$a@1"); !strings.HasPrefix(got, "$$a@0 ") {
		t.Errorf("of the metastream: %q", got)
	}
}

// TestFiltersOfOtherClients: a window of no size is that of the real node's default, a pattern has a bound, and some streams are in no
// filtered read.
func TestFiltersOfOtherClients(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, stream := range []string{
		"$epoch-information", "$persistentsubscription-$all::g-checkpoint", "$persistentsubscription-$all::g-parked",
		"$persistentsubscription-a::g-parked", "$$a",
	} {
		s.append(t, stream, "x")
	}
	for range 100 {
		s.append(t, "a", "y")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	connection := s.dial(t)
	filter := prefixes(2, "x")
	filter.Filter.Window = &streams.ReadReq_Options_FilterOptions_Max{Max: 0}
	f := follow(ctx, t, connection, &streams.ReadReq_Options{StreamOption: ofAll(), FilterOption: filter})
	if got, want := strings.Join(f.until("caught-up"), " "),
		"$persistentsubscription-a::g-parked@0 $$a@0 checkpoint:64 checkpoint:105 caught-up"; got != want {
		t.Errorf("heard %q, want %q", got, want)
	}
	client := streams.NewStreamsClient(connection)
	for length, want := range map[int]codes.Code{16 << 10: codes.OK, 16<<10 + 1: codes.InvalidArgument} {
		filter := prefixes(1)
		filter.Filter.GetEventType().Regex = strings.Repeat("x", length)
		_, _, err := messages(ctx, t, client, &streams.ReadReq_Options{StreamOption: ofAll(), FilterOption: filter, CountOption: counted(1)})
		if status.Code(err) != want {
			t.Errorf("a pattern of %d bytes: %v, want %v", length, status.Code(err), want)
		}
	}
	all, _, err := messages(ctx, t, client, &streams.ReadReq_Options{StreamOption: ofAll(), CountOption: counted(5)})
	if err != nil || len(all) != 5 || name(all[0].GetEvent().GetEvent()) != "$epoch-information@0" {
		t.Errorf("without a filter: %v, %v, want all of them", all, err)
	}
}
