package limits

import (
	"testing"
	"testing/synctest"
	"time"
)

// measured is how long floods are.
const measured = 10 * time.Second

// all is what ten seconds let through.
const all = 10 * perSecond

func TestTogetherTheyLetThroughTheLimit(t *testing.T) {
	t.Parallel()
	half := measured / 2
	cases := map[string]func(instance int, at time.Duration) float64{
		"one instance gets everything": only(tenfold),
		"both get as much":             only(tenfold/2, tenfold/2),
		"one of two gets everything":   only(tenfold, 0),
		"the other gets everything":    only(0, tenfold),
		"one gets four times as much":  only(tenfold*0.8, tenfold*0.2),
		"one gets hardly any":          only(tenfold*0.98, tenfold*0.02),
		"four get as much":             only(tenfold/4, tenfold/4, tenfold/4, tenfold/4),
		"one of four gets everything":  only(0, 0, tenfold, 0),
		"just as much as is allowed":   only(perSecond*0.7, perSecond*0.3),
		"it moves to the other half-way": func(i int, at time.Duration) float64 {
			return map[bool][]float64{true: {tenfold, 0}, false: {0, tenfold}}[at < half][i]
		},
		"it spreads half-way": func(i int, at time.Duration) float64 {
			return map[bool][]float64{true: {tenfold, 0}, false: {tenfold / 2, tenfold / 2}}[at < half][i]
		},
	}
	sizes := map[string]int{"one instance gets everything": 1, "four get as much": 4, "one of four gets everything": 4}
	for name, rate := range cases {
		for _, phases := range [][]int{{0, 0, 0, 0}, {0, 500, 250, 750}, {900, 100, 600, 300}, {10, 990, 400, 800}} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					shared := newBoard()
					var instances []instance
					for i := range max(sizes[name], 2*btoi(sizes[name] == 0)) {
						o := commands(perSecond)
						o.Exchange = shared
						instances = append(instances, run(t, time.Duration(phases[i])*time.Millisecond, o))
					}
					settle()
					got := sum(flood(instances, measured, rate))
					if got < all*9/10 || got > all*11/10 {
						t.Errorf("got %d let through, want %d ± 10 %%", got, all)
					}
					for _, i := range instances {
						i.stop()
					}
				})
			})
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// only floods each instance at its rate, all the time.
func only(rates ...float64) func(int, time.Duration) float64 {
	return func(i int, _ time.Duration) float64 { return rates[i] }
}
