package eventlog_test

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

func benchLog(b *testing.B) *eventlog.Log {
	b.Helper()
	l, err := eventlog.Open(b.TempDir(), eventlog.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := l.Close(); err != nil {
			b.Error(err)
		}
	})
	return l
}

// letters cannot be compressed to nothing, as zeros can.
func letters(bytes int) []byte {
	text := make([]byte, bytes)
	for i := range text {
		text[i] = 'a' + byte(rand.N(26))
	}
	return text
}

// BenchmarkAppend has 64 writers, each of whose appends is durable before the next; every event is a new stream's first.
func BenchmarkAppend(b *testing.B) {
	l := benchLog(b)
	data, metadata := letters(200), letters(150)
	var streams atomic.Int64
	b.ResetTimer()
	b.SetParallelism(32) // times two processors
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			stream := fmt.Sprint("notification-", uuid.New())
			streams.Add(1)
			event := eventlog.Event{ID: uuid.New(), Type: "Published", JSON: true, Data: data, Metadata: metadata}
			if _, err := l.Append(b.Context(), stream, eventlog.NoStream, event); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
}

// BenchmarkForward reads the log from its start to its end, from disk.
func BenchmarkForward(b *testing.B) {
	l := benchLog(b)
	data, metadata := letters(200), letters(150)
	const each = 1000
	for i := range 100 {
		events := make([]eventlog.Event, each)
		for j := range events {
			events[j] = eventlog.Event{ID: uuid.New(), Type: "Published", JSON: true, Data: data, Metadata: metadata}
		}
		if _, err := l.Append(b.Context(), fmt.Sprint("batch-", i), eventlog.NoStream, events...); err != nil {
			b.Fatal(err)
		}
	}
	const last = 100*each - 8192 // below is not in memory
	b.ReportAllocs()
	b.ResetTimer()
	next := eventlog.Position(1)
	for n := 0; n < b.N; {
		page, err := l.Forward(next, eventlog.Limit{})
		if err != nil {
			b.Fatal(err)
		}
		n += len(page)
		if next = page[len(page)-1].Position + 1; next >= last {
			next = 1
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
