package projections

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/postgres"
)

const (
	traceID      = "0af7651916cd43dd8448eb211c80319c"
	sampled      = "00-" + traceID + "-b7ad6b7169203331-01"
	later        = time.Hour // after every version's birth
	inboxLatency = "tidings_projection_append_to_inbox_seconds"
)

// at records an event at a time of the test's choice.
func (l *testLog) at(t testing.TB, when time.Time, e events.Event, traceParent string) events.Position {
	t.Helper()
	p, err := events.Encode(e, streamOf(e), 0, events.Metadata{Attempt: uuid.New(), TraceParent: traceParent})
	if err != nil {
		t.Fatal(err)
	}
	l.write(events.Stored{ID: p.ID, Stream: streamOf(e), Type: e.Type(), Data: p.Data, Metadata: p.Metadata, At: when})
	return l.head()
}

// latency is the histogram from append to inbox.
func latency(t testing.TB, registry *prometheus.Registry) *dto.Histogram {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == inboxLatency {
			return f.GetMetric()[0].GetHistogram()
		}
	}
	t.Fatalf("there is no %s", inboxLatency)
	return nil
}

func TestHowLateEventsComeIsToldOnceByTheVersionThatServes(t *testing.T) {
	t.Parallel()
	url := postgres.Fresh(t)
	conn := dial(t, url)
	log := newLog(t, events.Subscribed{User: "ann", Topic: "a"}, publish(1, 0, "topic:a"), publish(2, 0, "topic:a"))
	v, registry := newVersions(url, log), prometheus.NewRegistry()
	v.Metrics = NewMetrics(registry)
	keep(t, v)
	awaitServed(t, conn, log.head())
	if got := latency(t, registry).GetSampleCount(); got != 0 {
		t.Errorf("of events older than the version: got %d, want none", got)
	}
	log.at(t, time.Now().Add(later), events.TopicDescribed{Topic: "a", Description: "concerns no inbox"}, "")
	log.at(t, time.Now().Add(later), publish(3, 0, "topic:a"), sampled)
	log.at(t, time.Now().Add(later), events.ItemsRead{Items: events.Items{User: "ann", Through: 20}}, "")
	awaitServed(t, conn, log.head())
	const told = 2
	eventually(t, "two events that concern inboxes are told", func() bool { return latency(t, registry).GetSampleCount() == told })
	if got := exemplar(latency(t, registry)); got != traceID {
		t.Errorf("got the exemplar %q, want %q", got, traceID)
	}
	log.order(t, rebuilt(2))
	awaitRegistry(t, conn, "1 kept, 2 serving running")
	if got := latency(t, registry).GetSampleCount(); got != told {
		t.Errorf("after a rebuild: got %d, want %d", got, told)
	}
	log.at(t, time.Now().Add(later), publish(4, 0, "topic:a"), "")
	eventually(t, "the new version tells", func() bool { return latency(t, registry).GetSampleCount() == told+1 })
}

// exemplar is the trace that a histogram names, the last if it names several.
func exemplar(h *dto.Histogram) (traceID string) {
	for _, b := range h.GetBucket() {
		for _, l := range b.GetExemplar().GetLabel() {
			if l.GetName() == "trace_id" {
				traceID = l.GetValue()
			}
		}
	}
	return traceID
}
