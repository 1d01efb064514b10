package limits

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// crowd runs instances on one board, half a phase apart.
func crowd(t *testing.T, n int, shared *board) (all []instance) {
	t.Helper()
	for i := range n {
		o := commands(perSecond)
		o.Exchange = shared
		all = append(all, run(t, time.Duration(i)*time.Second/time.Duration(n), o))
	}
	return all
}

func stop(all ...instance) {
	for _, i := range all {
		i.stop()
	}
}

func within(t *testing.T, what string, got, least, most int) {
	t.Helper()
	if got < least || got > most {
		t.Errorf("%s: got %d let through, want %d to %d", what, got, least, most)
	}
}

func TestAnInstanceThatJoinsTakesItsPart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := newBoard()
		two := crowd(t, 2, shared)
		settle()
		before := flood(two, measured/2, only(tenfold/2, tenfold/2))
		three := slices.Concat(two, crowd(t, 1, shared))
		after := flood(three, measured/2, only(tenfold/3, tenfold/3, tenfold/3))
		within(t, "while a third joins", sum(before)+sum(after), all*9/10, all*11/10)
		within(t, "with three", sum(flood(three, measured, only(tenfold/3, tenfold/3, tenfold/3))), all*95/100, all*105/100)
		stop(three...)
	})
}

func TestAnInstanceThatStopsLeavesItsPart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := newBoard()
		two := crowd(t, 2, shared)
		settle()
		before := flood(two, measured/2, only(tenfold/2, tenfold/2))
		two[1].stop()
		if got := len(shared.rows); got != 1 {
			t.Errorf("got %d reports after one has left, want 1", got)
		}
		after := flood(two[:1], measured/2, only(tenfold))
		within(t, "while one stops", sum(before)+sum(after), all*9/10, all*11/10)
		two[0].stop()
	})
}

func TestAnInstanceThatDiesLeavesItsPartWhenItsReportIsOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := newBoard()
		two := crowd(t, 2, shared)
		settle()
		flood(two, measured, only(tenfold/2, tenfold/2))
		shared.mu.Lock()
		dead := shared.rows[two[1].peers.instance]
		shared.mu.Unlock()
		two[1].stop()
		shared.mu.Lock()
		shared.rows[two[1].peers.instance] = dead // it did not say that it went
		shared.mu.Unlock()
		within(t, "while it may live", sum(flood(two[:1], 3*time.Second, only(tenfold))), 3*perSecond*45/100, 3*perSecond*55/100)
		flood(two[:1], 3*time.Second, only(tenfold))
		within(t, "when it is gone", sum(flood(two[:1], measured, only(tenfold))), all*99/100, all*101/100)
		two[0].stop()
	})
}

func TestWithoutTheExchangeEachKeepsToItsPart(t *testing.T) {
	t.Parallel()
	for name, hangs := range map[string]bool{"it fails": false, "it hangs": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				shared := newBoard()
				two := crowd(t, 2, shared)
				settle()
				within(t, "one-sided", sum(flood(two, measured, only(tenfold, 0))), all*9/10, all*11/10)
				shared.set(!hangs, hangs)
				flood(two, 2*time.Second, only(tenfold, 0)) // a try begins within a second, and lasts 0.9
				within(t, "away, one-sided", sum(flood(two, measured, only(tenfold, 0))), all*49/100, all*51/100)
				within(t, "away, even", sum(flood(two, measured, only(tenfold/2, tenfold/2))), all*98/100, all*105/100)
				shared.set(false, false)
				flood(two, 4*time.Second, only(tenfold, 0))
				within(t, "back", sum(flood(two, measured, only(tenfold, 0))), all*99/100, all*101/100)
				stop(two...)
			})
		})
	}
}

func TestWithoutAnExchangeFromTheBeginningItIsAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := newBoard()
		shared.set(true, false)
		one := crowd(t, 1, shared)
		settle()
		within(t, "never exchanged", sum(flood(one, measured, only(tenfold))), all, all+perSecond/4)
		stop(one...)
	})
}

func TestItSaysOnceThatTheExchangeIsAwayAndOnceThatItIsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared, registry := newBoard(), prometheus.NewRegistry()
		var said bytes.Buffer
		o := commands(perSecond)
		o.Exchange, o.Registerer, o.Logger = shared, registry, slog.New(slog.NewTextHandler(&said, nil))
		one := run(t, 0, o)
		other := crowd(t, 1, shared)
		settle()
		shared.set(true, false)
		settle()
		if got := value(t, registry, "tidings_limits_exchange_failures_total"); got < 3 {
			t.Errorf("got %v failures, want one a second", got)
		}
		if got, want := value(t, registry, "tidings_limits_instances"), 2.0; got != want {
			t.Errorf("while away: got %v instances, want the %v last known", got, want)
		}
		shared.set(false, false)
		settle()
		stop(one)
		stop(other...)
		for level, want := range map[string]int{"level=WARN": 1, "level=INFO": 1} {
			if got := strings.Count(said.String(), level); got != want {
				t.Errorf("got %d lines of %s, want %d, in:\n%s", got, level, want, &said)
			}
		}
	})
}

func TestOthersDoNotNoticeAFlood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		two := crowd(t, 2, newBoard())
		settle()
		refused, n := 0, 0
		flood(two, measured, func(i int, _ time.Duration) float64 {
			if n++; n%20 == 0 && !two[i].Take(User, "bob", Commands).OK { // ten a second on each
				refused++
			}
			return tenfold
		})
		if refused > 0 {
			t.Errorf("got %d of another user's refused, want none", refused)
		}
		stop(two...)
	})
}

func TestBusyBucketsThatAReportHasNoRoomForAreSupposedBusy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := newBoard()
		two := crowd(t, 2, shared)
		settle()
		admitted := 0
		for at := time.Duration(0); at < measured; at += 10 * time.Millisecond {
			for i := range mostBusy + 1 { // all busier than ann on the second
				for range 3 {
					two[1].Take(User, "u"+string(rune(i+256)), Commands)
				}
			}
			for range 2 {
				admitted += btoi(two[1].Take(User, "ann", Commands).OK)
			}
			for range 10 {
				admitted += btoi(two[0].Take(User, "ann", Commands).OK)
			}
			time.Sleep(10 * time.Millisecond)
		}
		within(t, "with one in each report's shade", admitted, all/2, all*11/10)
		stop(two...)
		for _, r := range shared.reports {
			if len(r.Busy) > mostBusy {
				t.Fatalf("got a report of %d buckets, want at most %d", len(r.Busy), mostBusy)
			}
		}
	})
}
