package projections

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidings-io/tidings/internal/events"
)

func TestLag(t *testing.T) {
	t.Parallel()
	idle := func() *feed { return newFeed(10, 1e6) }
	busy := func() *feed {
		f := idle()
		f.add(events.Recorded{Position: 50, At: time.Now().Add(-time.Minute)}, 1, 0)
		return f
	}
	cases := map[string]struct {
		does      func(t *testing.T, l *lag)
		positions events.Position
		age       time.Duration
	}{
		"nothing is known at first": {
			func(_ *testing.T, l *lag) { l.heard(90) }, 0, 0,
		},
		"in history the head says how far it is": {
			func(_ *testing.T, l *lag) { l.applied(40, idle(), false); l.heard(90) }, 50, 0,
		},
		"caught up, whatever the head is": {
			func(_ *testing.T, l *lag) { l.applied(40, idle(), true); l.heard(90) }, 0, 0,
		},
		"events wait": {
			func(_ *testing.T, l *lag) { l.applied(40, idle(), true); l.applied(41, busy(), false); l.heard(90) }, 49, time.Minute,
		},
		"events are being applied": {
			func(_ *testing.T, l *lag) {
				l.applied(40, idle(), true)
				l.behind(time.Now().Add(-time.Second))
				l.heard(90)
			}, 50, time.Second,
		},
		"an old head is not believed": {
			func(_ *testing.T, l *lag) { l.heard(30); l.applied(40, idle(), false) }, 0, 0,
		},
		"the database is away": {
			func(_ *testing.T, l *lag) { l.applied(40, idle(), true); l.away(); l.heard(90) }, 50, 0,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var l lag
				c.does(t, &l)
				if positions, age := l.now(); positions != c.positions || age != c.age {
					t.Errorf("got %s positions, %s, want %s, %s", positions, age, c.positions, c.age)
				}
			})
		})
	}
}
