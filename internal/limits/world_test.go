package limits

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// board is an exchange in memory that keeps the promises of the real one.
type board struct {
	mu      sync.Mutex
	rows    map[string]Peer
	spent   map[Spender]int64
	reads   int
	reports []Report
	away    bool // it answers with an error
	hangs   bool // it does not answer
}

func newBoard() *board { return &board{rows: map[string]Peer{}, spent: map[Spender]int64{}} }

var errAway = errors.New("away")

// open says how it is, after as long as that takes to see. mu is held when it is well.
func (b *board) open(ctx context.Context) error {
	b.mu.Lock()
	if b.hangs {
		b.mu.Unlock()
		<-ctx.Done()
		return ctx.Err()
	}
	if b.away {
		b.mu.Unlock()
		return errAway
	}
	return nil
}

func (b *board) Swap(ctx context.Context, r Report) (News, error) {
	if err := b.open(ctx); err != nil {
		return News{}, err
	}
	defer b.mu.Unlock()
	news := News{At: time.Now()}
	for name, peer := range b.rows {
		if name != r.Instance && news.At.Sub(peer.At) < 4*time.Second {
			news.Others = append(news.Others, peer)
		}
	}
	b.rows[r.Instance] = Peer{At: news.At, Busy: maps.Clone(r.Busy), Cut: r.Cut}
	for _, s := range r.Spent {
		b.spent[s.Spender] += s.N
	}
	for _, s := range r.Spent {
		news.Spent = append(news.Spent, b.spent[s.Spender])
	}
	b.reports = append(b.reports, r)
	return news, nil
}

func (b *board) Spent(ctx context.Context, who Spender) (int64, error) {
	if err := b.open(ctx); err != nil {
		return 0, err
	}
	defer b.mu.Unlock()
	b.reads++
	return b.spent[who], nil
}

func (b *board) Leave(ctx context.Context, instance string) error {
	if err := b.open(ctx); err != nil {
		return err
	}
	defer b.mu.Unlock()
	delete(b.rows, instance)
	return nil
}

func (b *board) set(away, hangs bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.away, b.hangs = away, hangs
}

// instance is a Limiter that runs, in a bubble.
type instance struct {
	*Limiter

	stop func()
}

// run starts an instance whose exchanges come phase after now.
func run(t *testing.T, phase time.Duration, o Options) instance {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	i := instance{Limiter: New(o)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		time.Sleep(phase)
		if err := i.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	i.stop = func() {
		cancel()
		<-done
	}
	return i
}

const (
	// perSecond is the limit of tests of floods, and ten times as much the flood.
	perSecond = 100
	tenfold   = 10 * perSecond
	// step is how often attempts are made.
	step = 5 * time.Millisecond
)

func commands(perSecond float64) Options {
	return Options{User: Rates{Commands: Rate{PerSecond: perSecond}}}
}

// flood makes attempts on instances for a time, rate saying how many a second on each at a
// moment; it returns how many were let through in each step.
func flood(instances []instance, lasts time.Duration, rate func(instance int, at time.Duration) float64) []int {
	var admitted []int
	owed := make([]float64, len(instances))
	for at := time.Duration(0); at < lasts; at += step {
		n := 0
		for i, in := range instances {
			for owed[i] += rate(i, at) * step.Seconds(); owed[i] >= 1; owed[i]-- {
				if in.Take(User, "ann", Commands).OK {
					n++
				}
			}
		}
		admitted = append(admitted, n)
		time.Sleep(step)
	}
	return admitted
}

func sum(steps []int) (n int) {
	for _, s := range steps {
		n += s
	}
	return n
}

// windows are the least and the most admitted within any so many steps.
func windows(steps []int, width int) (least, most int) {
	in := sum(steps[:width])
	least, most = in, in
	for i := width; i < len(steps); i++ {
		in += steps[i] - steps[i-width]
		least, most = min(least, in), max(most, in)
	}
	return least, most
}

// value is that of a metric, summed over its labels.
func value(t *testing.T, registry *prometheus.Registry, name string) (v float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				v += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return v
}

// settle lets the instances exchange until nothing is new.
func settle() {
	time.Sleep(3 * time.Second)
	synctest.Wait()
}
