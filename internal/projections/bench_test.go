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
			insert into inbox (user_id, position, ends)
			select p.user_id, t.position, false from unnest($1::bigint[], $2::bigint[]) as t (audience_id, position)
			join periods p on p.audience_id = t.audience_id and p.until_position = 9223372036854775807`, ids, positions); err != nil {
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

// BenchmarkRebuild: logs of small fan-outs, read and decoded through the feed as a
// rebuild does, beside decoding them alone.
func BenchmarkRebuild(b *testing.B) {
	for name, write := range map[string]func(b testing.TB, log *testLog, n int){
		"publishes": func(b testing.TB, log *testLog, n int) { log.append(b, publishTo(n%rebuildTopics)) },
		"mixed":     appendMixed,
	} {
		b.Run(name, func(b *testing.B) {
			log := newLog(b)
			for topic := range rebuildTopics {
				for member := range 4 {
					log.append(b, events.Subscribed{
						User:  events.User(fmt.Sprintf("u%d", (topic*7+member)%5000)),
						Topic: events.Topic(fmt.Sprintf("t%d", topic)),
					})
				}
			}
			for n := range 40_000 {
				write(b, log, n)
			}
			rebuild(b, log)
		})
	}
}

const rebuildTopics = 2000

// appendMixed writes one event of a log as it may be: some publishes name users or
// have several targets, some expire or are retracted, and users read what they got.
func appendMixed(b testing.TB, log *testLog, n int) {
	user := events.User(fmt.Sprintf("u%d", n*31%5000))
	switch p := publishTo(n % rebuildTopics); n % 20 {
	case 0, 1, 2:
		log.append(b, events.ItemsRead{Items: events.Items{User: user, Through: events.Position(n * 10)}})
	case 3, 4:
		log.append(b, events.ItemsSeen{Items: events.Items{User: user, Through: events.Position(n * 10)}})
	case 5:
		log.append(b, events.SubscriptionChanged{
			User: events.User(fmt.Sprintf("u%d", n%rebuildTopics*7%5000)), Topic: p.To[0].Topic,
			Rules: events.Rules{Filter: "severity != 'low'"},
		})
	case 6, 7, 8:
		p.To = []events.Target{{User: user}}
		log.append(b, p)
	case 9:
		p.To = append(p.To, events.Target{User: user})
		p.ExpiresAt = &epoch
		log.append(b, p)
	default:
		log.append(b, p)
	}
}

func rebuild(b *testing.B, log *testLog) {
	b.Helper()
	head, _ := log.Head(b.Context())
	began := time.Now()
	log.recorded(b)
	decoding := time.Since(began)
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
	b.ReportMetric(float64(len(log.stored))/decoding.Seconds(), "decoded/s")
}

// BenchmarkPublishTo: one publish to a topic that is joined, by its subscribers,
// and the same while its topic has a filter that half of them share.
func BenchmarkPublishTo(b *testing.B) {
	for _, subscribers := range []int{1_000, 10_000, 1_000_000} {
		b.Run(fmt.Sprint(subscribers), func(b *testing.B) {
			conn := fresh(b)
			w := newWriter(b, conn, 500)
			at := events.Position(0)
			apply := func(e events.Event) {
				at++
				if err := w.apply(b.Context(), spanOf([]events.Recorded{{Position: at, At: epoch, Event: e}})); err != nil {
					b.Fatal(err)
				}
			}
			apply(events.Subscribed{User: "ann", Topic: "t0"})
			for _, sql := range []string{
				`insert into users (user_id, name) select g, 'u' || g from generate_series(2, $1::int) g`,
				`insert into periods (topic_id, user_id, from_position, since_position, audience_id, min_severity, muted)
				select 1, g, 1, 1, 1, 0, false from generate_series(2, $1::int) g`,
				`update audiences set subscribers = $1::int`,
				`update topics set subscribers = $1::int`,
			} {
				if _, err := conn.Exec(b.Context(), sql, subscribers); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				apply(publishTo(0))
			}
		})
	}
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

// BenchmarkClean: steps that delete what retention or expiry hid, among a million
// rows of 2,000 users.
func BenchmarkClean(b *testing.B) {
	for name, keep := range map[string]string{
		"by age":   `update projections set keep_seconds = 1`,
		"by count": `update projections set keep_items = 200`,
		"ended":    `update notifications set expires_at = '2000-01-01'`,
		"nothing":  `update projections set keep_seconds = 1e9`,
	} {
		b.Run(name, func(b *testing.B) {
			conn := fresh(b)
			w := newWriter(b, conn, DefaultStoreLimit)
			var log []events.Recorded
			add := func(e events.Event) {
				n := len(log) + 1
				log = append(log, events.Recorded{Position: events.Position(n), At: epoch.Add(time.Duration(n) * time.Second), Event: e})
			}
			for user := range 2000 {
				add(events.Subscribed{User: events.User(fmt.Sprintf("u%d", user)), Topic: events.Topic(fmt.Sprintf("t%d", user%2))})
			}
			for n := range 1000 {
				add(publishTo(n % 2))
			}
			if err := w.apply(b.Context(), spanOf(log)); err != nil {
				b.Fatal(err)
			}
			for _, sql := range []string{keep, "analyze"} {
				if _, err := conn.Exec(b.Context(), sql); err != nil {
					b.Fatal(err)
				}
			}
			c, deleted, longest := cleaner{}, int64(0), time.Duration(0)
			for b.Loop() {
				c.due = time.Time{}
				began := time.Now()
				rows, err := c.step(b.Context(), w, log[len(log)-1].At)
				if err != nil {
					b.Fatal(err)
				}
				deleted, longest = deleted+rows, max(longest, time.Since(began))
			}
			b.ReportMetric(float64(deleted)/float64(b.N), "rows/step")
			b.ReportMetric(float64(longest.Milliseconds()), "ms-longest")
		})
	}
}
