package limits

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

func TestWaitingRetryAfterSufficesAndLessDoesNot(t *testing.T) {
	t.Parallel()
	for _, rate := range []string{"100/s", "7/s", "3/s:1", "10/m", "1/h:1", "0.3/s:2", "1000000/s:3", "333333/s"} {
		t.Run(rate, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var r Rate
				if err := r.UnmarshalText([]byte(rate)); err != nil {
					t.Fatal(err)
				}
				l := New(Options{Key: Rates{Queries: r}})
				for round := range 50 {
					v := l.Take(Key, "k", Queries)
					for v.OK {
						v = l.Take(Key, "k", Queries)
					}
					time.Sleep(v.RetryAfter - 1)
					early := l.Take(Key, "k", Queries)
					if early.OK || early.RetryAfter != 1 {
						t.Fatalf("round %d: a nanosecond before %s: got %+v, want it refused for one more", round, v.RetryAfter, early)
					}
					time.Sleep(time.Nanosecond)
					if on := l.Take(Key, "k", Queries); !on.OK {
						t.Fatalf("round %d: after %s: got %+v, want it let through", round, v.RetryAfter, on)
					}
					time.Sleep(time.Duration(round*round) * 977 * time.Nanosecond)
				}
			})
		})
	}
}

func TestTakeSaysWhatToTell(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{Address: Rates{Connects: Rate{PerSecond: 10, Burst: 5}}})
		want := Verdict{OK: true, Limited: true, Policy: "address-connects", Quota: 10, Window: 1, Remaining: 4, Reset: 100 * time.Millisecond}
		if diff := cmp.Diff(want, l.Take(Address, "::1", Connects)); diff != "" {
			t.Errorf("the first of a burst of five (-want +got):\n%s", diff)
		}
		for range 4 {
			l.Take(Address, "::1", Connects)
		}
		want = Verdict{Limited: true, Policy: "address-connects", Quota: 10, Window: 1, Reset: 500 * time.Millisecond, RetryAfter: 100 * time.Millisecond}
		if diff := cmp.Diff(want, l.Take(Address, "::1", Connects)); diff != "" {
			t.Errorf("one too many (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(Verdict{OK: true}, l.Take(Address, "::1", Commands)); diff != "" {
			t.Errorf("a class without a limit (-want +got):\n%s", diff)
		}
		time.Sleep(time.Hour)
		for n := range 5 {
			if v := l.Take(Address, "::1", Connects); !v.OK || v.Remaining != int64(4-n) {
				t.Errorf("after an hour, %d: got %+v, want a burst of five and no more", n, v)
			}
		}
		if v := l.Take(Address, "::1", Connects); v.OK {
			t.Errorf("after an hour: got a sixth let through")
		}
	})
}

func TestEachKindOfHolderAndClassHasItsOwnBucket(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		once := Rates{Commands: Rate{PerSecond: 1}, Queries: Rate{PerSecond: 1}, Connects: Rate{PerSecond: 1}}
		registry := prometheus.NewRegistry()
		l := New(Options{User: once, Key: once, Address: once, Registerer: registry})
		seen := map[string]bool{}
		for _, want := range []bool{true, false} {
			for of := range holders {
				for class := range classes {
					v := l.Take(of, "same", class)
					if v.OK != want {
						t.Errorf("%s: got %v, want %v", v.Policy, v.OK, want)
					}
					seen[v.Policy] = true
				}
			}
		}
		if got, want := len(seen), kinds; got != want {
			t.Errorf("got %d policies, want %d: %v", got, want, seen)
		}
		if got, want := value(t, registry, "tidings_limits_refused_total"), float64(kinds); got != want {
			t.Errorf("got %v refusals counted, want %v", got, want)
		}
		if got, want := value(t, registry, "tidings_limits_buckets"), float64(kinds); got != want {
			t.Errorf("got %v buckets counted, want %v", got, want)
		}
	})
}

func TestEverySeriesStartsAtZero(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	New(Options{Registerer: registry})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	series := map[string]int{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			series[f.GetName()]++
			if got := m.GetCounter().GetValue() + m.GetGauge().GetValue(); got != 0 {
				t.Errorf("%s: got %v, want 0", f.GetName(), got)
			}
		}
	}
	want := map[string]int{
		"tidings_limits_refused_total": kinds + 3, "tidings_limits_exchange_failures_total": 1,
		"tidings_limits_instances": 1, "tidings_limits_buckets": 1,
	}
	if diff := cmp.Diff(want, series); diff != "" {
		t.Errorf("series (-want +got):\n%s", diff)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	const most, names = 1600, 1_000_000
	l := New(Options{User: Rates{Commands: Rate{PerSecond: 1}}, MaxBuckets: most})
	for i := range names {
		l.Take(User, strconv.Itoa(i), Commands)
	}
	if got := l.buckets(); got > most || got < most*9/10 {
		t.Errorf("got %d buckets after %d names, want at most %d, and not many less", got, names, most)
	}
	for i := range l.shards {
		s := &l.shards[i]
		if len(s.all) > most/shards || len(s.index)+len(s.free) != len(s.all) {
			t.Errorf("shard %d: got %d places, %d taken and %d free", i, len(s.all), len(s.index), len(s.free))
		}
	}
}

func TestIdleBucketsGoFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const most = 160
		l := New(Options{User: Rates{Commands: Rate{PerSecond: 1, Burst: 1}}, Key: Rates{Queries: Rate{PerSecond: 1000, Burst: 1}}, MaxBuckets: most})
		l.Take(User, "drained", Commands)
		for i := range 100 * most { // a millisecond after, each is as good as none
			l.Take(Key, strconv.Itoa(i), Queries)
			time.Sleep(time.Microsecond * 50)
			if i == 10*most {
				break
			}
		}
		if l.Take(User, "drained", Commands).OK {
			t.Errorf("it was forgotten for newer ones that were as good as none")
		}
	})
}

func TestTheLeastRecentlyUsedGoesWhereNoneIsIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const most = 160
		l := New(Options{User: Rates{Commands: Rate{PerSecond: 1, Burst: 1}}, MaxBuckets: most})
		for i := range 10 * most {
			l.Take(User, strconv.Itoa(i), Commands)
			if l.Take(User, "0", Commands).OK && i > 0 {
				t.Fatalf("after %d: the one used last was forgotten", i)
			}
		}
		if !l.Take(User, "1", Commands).OK {
			t.Errorf("the one used long ago was not forgotten")
		}
	})
}

func TestIdleBucketsAreRemoved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		one := run(t, 0, commands(perSecond))
		for i := range 1000 {
			one.Take(User, strconv.Itoa(i), Commands)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := one.buckets(); got != 0 {
			t.Errorf("got %d buckets, want none", got)
		}
		one.stop()
	})
}

func TestTakeDoesNotAllocate(t *testing.T) {
	l := New(commands(perSecond))
	if got := testing.AllocsPerRun(1000, func() { l.Take(User, "ann", Commands) }); got != 0 {
		t.Errorf("got %v allocations, want none", got)
	}
}

func BenchmarkTake(b *testing.B) {
	names := make([]string, 10_000)
	for i := range names {
		names[i] = "user-" + strconv.Itoa(i)
	}
	b.Run("let through", func(b *testing.B) {
		l := New(commands(1e6))
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			l.Take(User, names[i%len(names)], Commands)
		}
	})
	b.Run("refused", func(b *testing.B) {
		l := New(commands(1e-3))
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			l.Take(User, names[i%len(names)], Commands)
		}
	})
	b.Run("by all processors", func(b *testing.B) {
		l := New(commands(1e6))
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				l.Take(User, names[i%len(names)], Commands)
			}
		})
	})
	b.Run("new names, full", func(b *testing.B) {
		l := New(Options{User: Rates{Commands: Rate{PerSecond: 1}}, MaxBuckets: 5000})
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			l.Take(User, names[i%len(names)], Commands)
		}
	})
	for name, perSecond := range map[string]float64{"sweep of 100,000 cold": 1000, "sweep of 100,000 busy": 1e-3} {
		b.Run(name, func(b *testing.B) {
			o := commands(perSecond)
			o.User.Commands.Burst, o.MaxBuckets = 1e6, 200_000
			l := New(o)
			for i := range 100_000 {
				l.Take(User, strconv.Itoa(i), Commands)
			}
			for b.Loop() {
				l.sweep()
			}
		})
	}
}
