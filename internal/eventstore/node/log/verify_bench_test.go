package eventlog

import (
	"fmt"
	"testing"

	"github.com/google/uuid"
)

// BenchmarkVerify checks a log of a million events, a tenth of them in streams of a thousand, the others alone in theirs.
func BenchmarkVerify(b *testing.B) {
	dir := b.TempDir()
	l, err := Open(dir, Options{NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	const events, each = 1_000_000, 1000
	data, metadata := make([]byte, 200), make([]byte, 150)
	for written := 0; written < events; written += each {
		batch := make([]Event, each)
		for i := range batch {
			batch[i] = Event{ID: uuid.New(), Type: "Published", JSON: true, Data: data, Metadata: metadata}
		}
		if written%(10*each) == 0 {
			if _, err := l.Append(b.Context(), fmt.Sprint("batch-", uuid.New()), NoStream, batch...); err != nil {
				b.Fatal(err)
			}
			continue
		}
		requests := make([]*request, each)
		for i := range requests {
			requests[i] = &request{
				stream: fmt.Sprint("notification-", batch[i].ID), expected: NoStream, events: batch[i : i+1],
				done: make(chan struct{}), cancelled: func() error { return nil },
			}
			l.queue <- requests[i]
		}
		for _, r := range requests {
			<-r.done
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for b.Loop() {
		v, err := VerifyDirectory(b.Context(), dir, VerifyOptions{})
		if err != nil || !v.Whole() || v.Events != events {
			b.Fatal(v, err)
		}
	}
	b.ReportMetric(float64(b.N)*events/b.Elapsed().Seconds(), "events/s")
}
