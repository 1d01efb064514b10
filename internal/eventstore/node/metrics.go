package node

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// Outcomes of an append.
const (
	outcomeWritten       = "written"
	outcomeRepeated      = "repeated"
	outcomeWrongRevision = "wrong_revision"
	outcomeDeleted       = "stream_deleted"
	outcomeInvalid       = "invalid"
	outcomeCancelled     = "cancelled"
	outcomeFull          = "full"
	outcomeFailed        = "failed"
)

type metrics struct {
	appends       *prometheus.CounterVec
	duration      prometheus.Histogram
	batch         prometheus.Histogram
	subscriptions prometheus.Gauge
}

func newMetrics(registerer prometheus.Registerer, log *eventlog.Log) *metrics {
	m := &metrics{
		appends: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_node_appends_total",
			Help: "Appends answered by the embedded event store, by outcome.",
		}, []string{"outcome"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "tidings_node_append_duration_seconds",
			Help:    "Time from the start of an append call to its answer, the disk included.",
			Buckets: prometheus.ExponentialBuckets(0.00025, 2, 14),
		}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "tidings_node_commit_batch_events",
			Help:    "Events that were made durable by one commit.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 13),
		}),
		subscriptions: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tidings_node_subscriptions",
			Help: "Open subscriptions to the embedded event store.",
		}),
	}
	for _, outcome := range []string{
		outcomeWritten, outcomeRepeated, outcomeWrongRevision, outcomeDeleted, outcomeInvalid, outcomeCancelled, outcomeFull,
		outcomeFailed,
	} {
		m.appends.WithLabelValues(outcome)
	}
	if registerer != nil {
		head := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "tidings_node_head_position",
			Help: "Position of the last durable event.",
		}, func() float64 { return float64(log.Head()) })
		free := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "tidings_node_disk_free_bytes",
			Help: "Free space of the disk that holds the log, as last seen; -1 where the file system cannot tell.",
		}, func() float64 {
			if bytes, known := log.FreeBytes(); known {
				return float64(bytes)
			}
			return -1
		})
		reserve := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "tidings_node_disk_reserve_bytes",
			Help: "Free space that the disk must keep: below it appends are refused.",
		}, func() float64 { return float64(log.ReserveBytes()) })
		accepting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "tidings_node_accepting_appends",
			Help: "1 while appends are taken; 0 while the disk is full, and after it failed.",
		}, func() float64 {
			if errors.Join(log.Full(), log.Failure()) != nil {
				return 0
			}
			return 1
		})
		registerer.MustRegister(m.appends, m.duration, m.batch, m.subscriptions, head, free, reserve, accepting)
	}
	return m
}

func (m *metrics) appended(outcome string, took time.Duration) {
	m.appends.WithLabelValues(outcome).Inc()
	m.duration.Observe(took.Seconds())
}

func (m *metrics) committed(events int) { m.batch.Observe(float64(events)) }

func outcomeOf(err error) string {
	if errors.Is(err, eventlog.ErrFull) {
		return outcomeFull // the other refusals for want of room are of single requests
	}
	switch failed(err).status.Code() {
	case codes.FailedPrecondition:
		return outcomeDeleted
	case codes.InvalidArgument, codes.Unknown, codes.ResourceExhausted:
		return outcomeInvalid
	case codes.Canceled, codes.DeadlineExceeded:
		return outcomeCancelled
	default:
		return outcomeFailed
	}
}
