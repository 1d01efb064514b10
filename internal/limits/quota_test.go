package limits

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func quota(n int, shared *board) Options { return Options{DailyQuota: n, Exchange: shared} }

// spent spends one by one until that is refused.
func spent(l instance, subject string) (n int) {
	for l.Spend(subject, 1).OK {
		n++
	}
	return n
}

func TestQuotasAreAllOrNone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{DailyQuota: 10})
		time.Sleep(18 * time.Hour) // bubbles begin at midnight
		rest := 6 * time.Hour
		for _, c := range []struct {
			n    int
			want Verdict
		}{
			{7, Verdict{OK: true, Remaining: 3}},
			{4, Verdict{Remaining: 3, RetryAfter: rest}},
			{3, Verdict{OK: true}},
			{1, Verdict{RetryAfter: rest}},
			{0, Verdict{OK: true}},
			{-5, Verdict{OK: true}},
			{1, Verdict{RetryAfter: rest}},
		} {
			c.want.Limited, c.want.Policy, c.want.Quota, c.want.Window, c.want.Reset = true, "quota", 10, 86400, rest
			if diff := cmp.Diff(c.want, l.Spend("ci", c.n)); diff != "" {
				t.Errorf("%d more (-want +got):\n%s", c.n, diff)
			}
		}
		if v := l.Spend("other", 10); !v.OK {
			t.Errorf("another subject: got %+v, want all of it", v)
		}
		if diff := cmp.Diff(Verdict{OK: true}, New(Options{}).Spend("ci", 1e9)); diff != "" {
			t.Errorf("without a quota (-want +got):\n%s", diff)
		}
	})
}

func TestQuotasHoldOverInstances(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := newBoard()
		a, b := run(t, 0, quota(100, shared)), run(t, 500*time.Millisecond, quota(100, shared))
		for n := range 4 {
			settle()
			if !a.Spend("ci", 10).OK || !b.Spend("ci", 15).OK {
				t.Errorf("round %d: refused, want let through", n)
			}
		}
		settle()
		if v := b.Spend("ci", 1); v.OK {
			t.Errorf("after 40 and 60 of 100: got %+v, want it refused", v)
		}
		if v := a.Spend("ci", 1); v.OK {
			t.Errorf("after 40 and 60 of 100: got %+v, want it refused", v)
		}
		stop(a, b)
	})
}

func TestWhatQuotasLetThroughTooMuchIsASecondsTraffic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const most, perStep = 1000, 2
		shared := newBoard()
		a, b := run(t, 0, quota(most, shared)), run(t, 500*time.Millisecond, quota(most, shared))
		settle()
		got := 0
		for range int(measured / (10 * time.Millisecond)) {
			for _, i := range []instance{a, b} {
				if i.Spend("ci", perStep).OK {
					got += perStep
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
		if second := 100 * perStep; got < most-perStep || got > most+second+perStep {
			t.Errorf("got %d, want %d and at most %d more", got, most, second)
		}
		stop(a, b)
	})
}

func TestQuotasBeginAnewAtMidnight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := newBoard()
		a := run(t, 0, quota(10, shared))
		time.Sleep(day - 1)
		if got, want := spent(a, "ci"), 10; got != want {
			t.Errorf("before midnight: got %d, want %d", got, want)
		}
		if v := a.Spend("ci", 1); v.RetryAfter != 1 {
			t.Errorf("just before midnight: got %+v, want it to be in a nanosecond", v)
		}
		time.Sleep(time.Nanosecond)
		if got, want := spent(a, "ci"), 10; got != want {
			t.Errorf("after midnight: got %d, want %d", got, want)
		}
		settle()
		if got, want := len(shared.spent), 2; got != want {
			t.Errorf("got %d days kept, want %d: %v", got, want, shared.spent)
		}
		for who, n := range shared.spent {
			if n != 10 {
				t.Errorf("day %d: got %d kept, want 10", who.Day, n)
			}
		}
		if got, want := len(a.quotas.all), 1; got != want {
			t.Errorf("got %d days in memory, want %d", got, want)
		}
		a.stop()
	})
}

func TestQuotasOutliveARestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := newBoard()
		first := run(t, 0, quota(10, shared))
		settle()
		first.Spend("ci", 7)
		first.stop() // within the second: it tells as it goes
		second := run(t, 0, quota(10, shared))
		if got, want := spent(second, "ci"), 3; got != want {
			t.Errorf("got %d left after a restart, want %d", got, want)
		}
		second.stop()
	})
}

func TestWithoutTheExchangeEachHandsOutItsPartOfWhatWasLeft(t *testing.T) {
	t.Parallel()
	for name, hangs := range map[string]bool{"it fails": false, "it hangs": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				shared := newBoard()
				a, b := run(t, 0, quota(100, shared)), run(t, 500*time.Millisecond, quota(100, shared))
				settle()
				a.Spend("ci", 40)
				b.Spend("ci", 0)
				settle()
				shared.set(!hangs, hangs)
				settle()
				began := time.Now()
				for subject, want := range map[string]int{"ci": 30, "unseen": 50} {
					for _, i := range []instance{a, b} {
						if got := spent(i, subject); got != want {
							t.Errorf("%s: got %d, want %d", subject, got, want)
						}
					}
				}
				if waited := time.Since(began); waited > 0 {
					t.Errorf("it waited %s for what is known to be away", waited)
				}
				shared.set(false, false)
				settle()
				for _, subject := range []string{"ci", "unseen"} {
					if got := spent(a, subject) + spent(b, subject); got != 0 {
						t.Errorf("%s, when it is back: got %d, want none left", subject, got)
					}
					if got := shared.spent[Spender{nameOf(policyQuota, subject), dayOf(time.Now())}]; got != 100 {
						t.Errorf("%s, when it is back: got %d kept, want 100", subject, got)
					}
				}
				stop(a, b)
			})
		})
	}
}

func TestTheFirstReadIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := newBoard()
		shared.set(false, true)
		l := New(quota(10, shared))
		began := time.Now()
		if v := l.Spend("ci", 10); !v.OK {
			t.Errorf("got %+v, want all that one instance has", v)
		}
		if got, want := time.Since(began), 300*time.Millisecond; got != want {
			t.Errorf("got an answer after %s, want %s", got, want)
		}
		l.Spend("ci", 1)
		if got, want := time.Since(began), 300*time.Millisecond; got != want {
			t.Errorf("got a second answer after %s, want none to wait again", got)
		}
	})
}

func TestSubjectsAreBoundedAndReadAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := newBoard()
		a := run(t, 0, quota(10, shared))
		for i := range 3 * mostSpenders {
			if i%mostSpenders == 0 {
				settle()
			}
			a.Spend(strconv.Itoa(i), 4)
		}
		settle()
		if got := len(a.quotas.all); got > mostSpenders {
			t.Errorf("got %d in memory, want at most %d", got, mostSpenders)
		}
		for _, i := range []int{0, mostSpenders, 3*mostSpenders - 1} {
			if got, want := spent(a, strconv.Itoa(i)), 6; got != want {
				t.Errorf("%d: got %d left, want %d", i, got, want)
			}
		}
		time.Sleep(2 * keptSpender)
		synctest.Wait()
		if got := len(a.quotas.all); got != 0 {
			t.Errorf("got %d in memory after a while, want none", got)
		}
		a.stop()
	})
}

func TestWhatIsSpentWhileAnExchangeIsUnderWayStaysPending(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := New(quota(10, newBoard()))
		l.Spend("ci", 3)
		told := l.quotas.report()
		l.Spend("ci", 5)
		l.quotas.settle(told, []int64{3}, 1)
		if v := l.Spend("ci", 3); v.OK || v.Remaining != 2 {
			t.Errorf("after 3 told and 5 not: got %+v, want 2 left", v)
		}
	})
}
