package node_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/eventstore/node"
	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

func startOnDisk(b *testing.B) *server {
	b.Helper()
	log, err := eventlog.Open(b.TempDir(), eventlog.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := log.Close(); err != nil {
			b.Error(err)
		}
	})
	return serve(b, log, node.Options{})
}

func sized(bytes int) esdb.EventData {
	return esdb.EventData{
		EventID: uuid.New(), EventType: "Published", ContentType: esdb.ContentTypeJson,
		Data: make([]byte, bytes), Metadata: make([]byte, 150),
	}
}

// BenchmarkAppend has 64 writers append through the official client, one durable event a call.
func BenchmarkAppend(b *testing.B) {
	s := startOnDisk(b)
	options := esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}
	b.ReportAllocs()
	b.ResetTimer()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.client.AppendToStream(b.Context(), "notification-"+uuid.NewString(), options, sized(200)); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
}

// BenchmarkSubscribe reads the history of a log by one subscription of the official client.
func BenchmarkSubscribe(b *testing.B) {
	s := startOnDisk(b)
	const each = 1000
	events := make([]esdb.EventData, each)
	for i := 0; i < b.N; i += each {
		for j := range events {
			events[j] = sized(200)
		}
		if _, err := s.client.AppendToStream(b.Context(), fmt.Sprint("batch-", i), esdb.AppendToStreamOptions{}, events...); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	subscription, err := s.client.SubscribeToAll(context.Background(), esdb.SubscribeToAllOptions{From: esdb.Start{}})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = subscription.Close() }()
	for n := 0; n < b.N; {
		message := subscription.Recv()
		if message.SubscriptionDropped != nil {
			b.Fatal(message.SubscriptionDropped.Error)
		}
		if message.EventAppeared != nil {
			n++
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
