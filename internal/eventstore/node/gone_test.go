package node

import (
	"context"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// TestACallWhoseCallerHasGoneEnds even if it has nothing to send, which would tell it: at the next page, not at the end of the log.
func TestACallWhoseCallerHasGoneEnds(t *testing.T) {
	t.Parallel()
	log, err := eventlog.Open("store", eventlog.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	for range 3 {
		if _, err := log.Append(t.Context(), "a", eventlog.Any, eventlog.Event{ID: uuid.New(), Type: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	s := &streamsService{node: New(log, Options{}), stopping: make(chan struct{})}
	start := &shared.Empty{}
	all := &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{
		AllOption: &streams.ReadReq_Options_AllOptions_Start{Start: start},
	}}
	one := &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
		StreamIdentifier: wireStream("a"), RevisionOption: &streams.ReadReq_Options_StreamOptions_Start{Start: start},
	}}
	nothing := &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{
		Filter: &streams.ReadReq_Options_FilterOptions_EventType{
			EventType: &streams.ReadReq_Options_FilterOptions_Expression{Prefix: []string{"none"}},
		},
		CheckpointIntervalMultiplier: 1 << 20,
	}}
	count := &streams.ReadReq_Options_Count{Count: 9}
	subscription := &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}}
	for what, o := range map[string]*streams.ReadReq_Options{
		"reading the log":        {StreamOption: all, CountOption: count, FilterOption: nothing},
		"reading a stream":       {StreamOption: one, CountOption: count},
		"following the log":      {StreamOption: all, CountOption: subscription, FilterOption: nothing},
		"following a stream":     {StreamOption: one, CountOption: subscription},
		"following all of it":    {StreamOption: all, CountOption: subscription},
		"reading all of the log": {StreamOption: all, CountOption: count},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		call := &readCall{ctx: ctx, cancel: cancel}
		if err := s.Read(&streams.ReadReq{Options: o}, call); status.Code(err) != codes.Canceled {
			t.Errorf("%s: %v, want %v", what, err, codes.Canceled)
		}
		for _, message := range call.sent {
			if message.GetConfirmation() == nil {
				t.Errorf("%s: sent %v", what, message)
			}
		}
	}
}
