package projections

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
)

const (
	benchTopics  = 50
	benchMembers = 1000
)

// BenchmarkFanOut: notifications to topics of 1,000 subscribers, applied by the
// projection, beside a bare INSERT … SELECT of the same rows.
func BenchmarkFanOut(b *testing.B) {
	conn := fresh(b)
	w := newWriter(b, conn, DefaultStoreLimit)
	var log []events.Recorded
	add := func(e events.Event) {
		log = append(log, events.Recorded{Position: events.Position(len(log) + 1), At: epoch, Event: e})
	}
	for topic := range benchTopics {
		for member := range benchMembers {
			add(events.Subscribed{
				User:  events.User(fmt.Sprintf("u%d", (topic*137+member)%(benchMembers*10))),
				Topic: events.Topic(fmt.Sprintf("t%d", topic)),
			})
		}
	}
	apply := func(log []events.Recorded) {
		for len(log) > 0 {
			n := min(len(log), defaultBatchEvents)
			if err := w.apply(b.Context(), spanOf(log[:n])); err != nil {
				b.Fatal(err)
			}
			log = log[n:]
		}
	}
	began := time.Now()
	apply(log)
	b.Logf("%.0f subscriptions/s", float64(len(log))/time.Since(began).Seconds())

	round := func() []events.Recorded {
		first := len(log)
		for topic := range benchTopics {
			for range 4 {
				add(publishTo(topic))
			}
		}
		return log[first:]
	}
	var projected, bare time.Duration
	rows := 0
	for b.Loop() {
		evs := round()
		began := time.Now()
		apply(evs)
		projected += time.Since(began)
		rows += len(evs) * benchMembers

		// The same rows again, at positions of their own.
		ids, positions := make([]int64, len(evs)), make([]int64, len(evs))
		for i, r := range round() {
			ids[i], positions[i] = int64(i/4+1), int64(r.Position)
		}
		began = time.Now()
		if _, err := conn.Exec(b.Context(), `
			insert into inbox (user_id, position)
			select p.user_id, t.position from unnest($1::bigint[], $2::bigint[]) as t (topic_id, position)
			join periods p on p.topic_id = t.topic_id and p.until_position = 9223372036854775807`, ids, positions); err != nil {
			b.Fatal(err)
		}
		bare += time.Since(began)
	}
	b.ReportMetric(float64(rows)/projected.Seconds(), "rows/s")
	b.ReportMetric(float64(rows)/bare.Seconds(), "bare-rows/s")
	b.ReportMetric(bare.Seconds()/projected.Seconds(), "ratio")
}

func publishTo(topics ...int) events.Published {
	p := events.Published{
		NotificationID: uuid.New(), Severity: events.SeverityNormal,
		Content: events.Content{Title: "build 1234 failed", Body: "in 3 of 400 packages"},
	}
	for _, topic := range topics {
		p.To = append(p.To, events.Target{Topic: events.Topic(fmt.Sprintf("t%d", topic))})
	}
	return p
}

// BenchmarkRebuild: a log of small fan-outs, read and decoded through the feed as
// a rebuild does.
func BenchmarkRebuild(b *testing.B) {
	log := newLog(b)
	const topics, members = 2000, 4
	for topic := range topics {
		for member := range members {
			log.append(b, events.Subscribed{
				User:  events.User(fmt.Sprintf("u%d", (topic*7+member)%5000)),
				Topic: events.Topic(fmt.Sprintf("t%d", topic)),
			})
		}
	}
	for n := range 40_000 {
		log.append(b, publishTo(n%topics))
	}
	head, _ := log.Head(b.Context())
	for b.Loop() {
		b.StopTimer()
		p := newInbox(freshURL(b), log)
		b.StartTimer()
		stop := start(b, p)
		awaitPosition(b, p, head)
		b.StopTimer()
		stop()
		b.StartTimer()
	}
	b.ReportMetric(float64(len(log.stored)*b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkOneByOne: a transaction per event, as under a light load.
func BenchmarkOneByOne(b *testing.B) {
	conn := fresh(b)
	w := newWriter(b, conn, DefaultStoreLimit)
	at := events.Position(0)
	apply := func(e events.Event) {
		at++
		if err := w.apply(b.Context(), spanOf([]events.Recorded{{Position: at, At: epoch, Event: e}})); err != nil {
			b.Fatal(err)
		}
	}
	apply(events.Subscribed{User: "ann", Topic: "t0"})
	for b.Loop() {
		apply(publishTo(0))
	}
}
