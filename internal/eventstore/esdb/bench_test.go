package esdb_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/esdb"
)

// The benchmarks go through the client and the embedded node on loopback, with
// a disk; per event.

func benchEvent(n int) events.Proposed {
	return events.Proposed{
		ID: uuid.New(), Type: "Published", Data: fmt.Appendf(nil, `{"n":%d,"content":{"body":%q}}`, n, strings.Repeat("x", 300)),
		Metadata: []byte(`{"command_id":"6f1c7b52-8a0e-4d0b-9d6f-0f5b8c1f7a11","schema_version":1}`),
	}
}

func BenchmarkAppend(b *testing.B) {
	store := open(b, startServer(b).url(), esdb.Options{})
	b.SetParallelism(32) // 64 writers on two processors
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			e := benchEvent(0)
			if _, err := store.Append(b.Context(), events.StreamName("bench-"+e.ID.String()), events.NoStream(), e); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func filled(b *testing.B, n int) *esdb.Store {
	b.Helper()
	store := open(b, startServer(b).url(), esdb.Options{})
	for done := 0; done < n; done += 500 {
		evs := make([]events.Proposed, 500)
		for m := range evs {
			evs[m] = benchEvent(done + m)
		}
		if _, err := store.Append(b.Context(), "bench-1", events.Any(), evs...); err != nil {
			b.Fatal(err)
		}
	}
	return store
}

const benched = 20_000

func BenchmarkReadAll(b *testing.B) {
	store := filled(b, benched)
	n := 0
	for b.Loop() {
		for _, err := range store.ReadAll(b.Context(), 0, events.Filter{}) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkSubscribe(b *testing.B) {
	store := filled(b, benched)
	n := 0
	for b.Loop() {
		for m, err := range store.Subscribe(b.Context(), 0) {
			if err != nil {
				b.Fatal(err)
			}
			if m.CaughtUp {
				break
			}
			n++
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
}
