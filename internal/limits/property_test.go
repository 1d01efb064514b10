package limits

import (
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// pattern is how often each instance is asked, in stretches of time.
type pattern struct {
	phases    []time.Duration
	stretches [][]float64 // a second each, at the shortest
	each      time.Duration
}

func (p pattern) rate(i int, at time.Duration) float64 {
	return p.stretches[min(int(at/p.each), len(p.stretches)-1)][i]
}

func (p pattern) run(t *testing.T, lasts time.Duration) (admitted []int) {
	synctest.Test(t, func(t *testing.T) {
		shared := newBoard()
		var instances []instance
		for _, phase := range p.phases {
			o := commands(perSecond)
			o.Exchange = shared
			instances = append(instances, run(t, phase, o))
		}
		settle()
		admitted = flood(instances, lasts, p.rate)
		for _, i := range instances {
			i.stop()
		}
	})
	return admitted
}

func patterns(steady bool) *rapid.Generator[pattern] {
	return rapid.Custom(func(t *rapid.T) pattern {
		n := rapid.IntRange(1, 4).Draw(t, "instances")
		p := pattern{each: time.Duration(rapid.IntRange(1000, 6000).Draw(t, "stretch")) * time.Millisecond}
		for range n {
			p.phases = append(p.phases, time.Duration(rapid.IntRange(0, 999).Draw(t, "phase"))*time.Millisecond)
		}
		count := 1
		if !steady {
			count = rapid.IntRange(1, 16).Draw(t, "stretches")
		}
		for range count {
			rates := make([]float64, n)
			total := 0.0
			for i := range rates {
				rates[i] = rapid.SampledFrom([]float64{0, 0, 1, 5, 20, 50, 100, 300, 1000}).Draw(t, "rate")
				total += rates[i]
			}
			if steady && total < 1.1*perSecond {
				rates[0] = 2 * perSecond
			}
			p.stretches = append(p.stretches, rates)
		}
		return p
	})
}

// tenWide is ten seconds in steps.
const tenWide = int(measured / step)

func TestWhateverComesTheLimitHolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		p := patterns(false).Draw(rt, "pattern")
		_, most := windows(p.run(t, 2*measured), tenWide)
		if limit := all*11/10 + perSecond/2; most > limit {
			rt.Errorf("got %d let through within ten seconds, want at most %d", most, limit)
		}
	})
}

func TestWhoeverIsFloodedTheLimitIsLetThrough(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		p := patterns(true).Draw(rt, "pattern")
		// A flood that begins on one of several alone has the floor until all have heard of it.
		const enough = all * 85 / 100
		if least, _ := windows(p.run(t, measured+measured/2), tenWide); least < enough {
			rt.Errorf("got %d let through within ten seconds, want at least %d", least, enough)
		}
	})
}
