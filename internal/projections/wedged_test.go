package projections

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/postgres"
	"github.com/tidings-io/tidings/internal/pulse"
)

// TestAProjectorWithoutPostgresIsNotStuck, for however long it is away.
func TestAProjectorWithoutPostgresIsNotStuck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := newVersions("postgres://nobody@127.0.0.1:1/none", newLog(t))
		v.Loops = new(pulse.Loops)
		keep(t, v)
		for range 60 {
			time.Sleep(time.Minute)
			if stuck := v.Loops.Stuck(30 * time.Second); len(stuck) > 0 {
				t.Fatalf("got %v, want none stuck", stuck)
			}
		}
		if got := v.Status().State; got != StateWaitingForDatabase {
			t.Errorf("got %s, want %s", got, StateWaitingForDatabase)
		}
	})
}

// TestAStuckLoopIsNamed, and no more once it moves again.
func TestAStuckLoopIsNamed(t *testing.T) {
	t.Parallel()
	for name, loop := range map[string]string{
		"the loop that leads": leadName,
		"the loop that folds": "_inbox_1: fold",
		"the loop that reads": "_inbox_1: read",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := postgres.Fresh(t)
			log := newLog(t, events.Subscribed{User: "ann", Topic: "a"}, publish(1, 0, "topic:a"))
			v := newVersions(url, log)
			v.Loops = new(pulse.Loops)
			release := make(chan struct{})
			free := sync.OnceFunc(func() { close(release) })
			t.Cleanup(free)
			switch loop {
			case leadName:
				v.reach = func(string) { <-release }
			case "_inbox_1: read":
				v.transform = map[int]func(events.Recorded) events.Recorded{1: func(r events.Recorded) events.Recorded {
					<-release
					return r
				}}
			default:
				v.Metrics = NewMetrics(nil)
				v.Metrics.batchEvents = stuckHistogram{v.Metrics.batchEvents, release}
			}
			keep(t, v)
			t.Cleanup(free) // before the projector is waited for
			named := func() bool {
				for name := range v.Loops.Stuck(20 * time.Millisecond) {
					if strings.HasSuffix(name, loop) {
						return true
					}
				}
				return false
			}
			eventually(t, "name "+loop, named)
			free()
			awaitServed(t, dial(t, url), 20)
			eventually(t, "name "+loop+" no more", func() bool { return !named() })
		})
	}
}

// stuckHistogram holds up whoever observes something.
type stuckHistogram struct {
	prometheus.Histogram

	release <-chan struct{}
}

func (s stuckHistogram) Observe(value float64) {
	<-s.release
	s.Histogram.Observe(value)
}
