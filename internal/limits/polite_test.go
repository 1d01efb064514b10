package limits

import (
	"testing"
	"testing/synctest"
	"time"
)

// Who waits as they are told, in whole seconds, gets what the limit says, whichever of
// the instances they ask, and not a part of it for ever.
func TestWhoeverWaitsGetsTheLimit(t *testing.T) {
	t.Parallel()
	for name, clients := range map[string]int{"a few": 4, "some": 16, "many": 64} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				shared := newBoard()
				var instances []instance
				for _, phase := range []time.Duration{0, 300 * time.Millisecond, 600 * time.Millisecond} {
					o := Options{User: Rates{Commands: Rate{PerSecond: perSecond, Burst: 2 * perSecond}}, Exchange: shared}
					instances = append(instances, run(t, phase, o))
				}
				settle()
				admitted := 0
				resumes := make([]time.Duration, clients) // when each may ask again
				for at := time.Duration(0); at < measured; at += step {
					for i := range resumes {
						if at < resumes[i] {
							continue
						}
						v := instances[1].Take(User, "ann", Commands)
						if v.OK {
							admitted++
							resumes[i] = at + 2*step // an answer takes some time
							continue
						}
						resumes[i] = at + (v.RetryAfter + time.Second - 1).Truncate(time.Second)
					}
					time.Sleep(step)
				}
				if admitted < all*8/10 {
					t.Errorf("%d clients had %d let through in %s, want about %d", clients, admitted, measured, all)
				}
				for _, i := range instances {
					i.stop()
				}
			})
		})
	}
}
