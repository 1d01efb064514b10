package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

// latencies are of one run, sorted.
type latencies []time.Duration

func (l latencies) at(share float64) time.Duration {
	return l[min(len(l)-1, int(share*float64(len(l))))]
}

type streamRun struct {
	latencies
	cpu time.Duration
	rss int64
}

// streaming publishes to one user at a time at a constant rate while all users
// are connected, and measures from the start of the request to the arrival on
// the stream.
func (b *bench) streaming(ctx context.Context, binary string, r *report) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var ours, floors []streamRun
	for n := range b.Runs { // interleaved, so that both see the same machine
		fmt.Fprintf(os.Stderr, "publish to stream: run %d of %d\n", n+1, b.Runs)
		one, err := b.streamOnce(ctx, self, "floor")
		if err != nil {
			return fmt.Errorf("floor: %w", err)
		}
		floors = append(floors, one)
		one, err = b.streamOnce(ctx, binary, "dev", "--data", "data", "--listen", "127.0.0.1:0", "--store-listen", "127.0.0.1:0")
		if err != nil {
			return err
		}
		ours = append(ours, one)
	}
	r.section(fmt.Sprintf("Publish to stream, %d/s, %d readers, each a user of their own", b.Rate, b.Readers),
		"From the start of the publishing request to the arrival on the reader's stream; durable, fsync before the answer. "+
			"Floor: net/http, one goroutine a reader, from memory to memory, nothing kept.",
		"", "p50", "p99", "max", "CPU of the server", "RSS of the server")
	for _, row := range []struct {
		name string
		runs []streamRun
	}{{"Tidings", ours}, {"floor", floors}} {
		at := func(share float64) string {
			return median(row.runs, func(s streamRun) float64 { return s.at(share).Seconds() * 1e3 }).String("%.2f ms")
		}
		r.row(row.name, at(.5), at(.99), at(1),
			median(row.runs, func(s streamRun) float64 { return s.cpu.Seconds() / float64(b.Seconds) * 100 }).String("%.0f %%"),
			median(row.runs, func(s streamRun) float64 { return float64(s.rss) / (1 << 20) }).String("%.0f MiB"))
	}
	return nil
}

func (b *bench) streamOnce(ctx context.Context, program string, args ...string) (run streamRun, err error) {
	s, err := start(ctx, program, args...)
	if err != nil {
		return run, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		if stopped := s.stop(); err == nil {
			err = stopped
		}
	}()
	users := make([]string, b.Readers)
	for i := range users {
		users[i] = fmt.Sprintf("u%d", i)
	}
	came, err := connect(ctx, s.URL, users)
	if err != nil {
		return run, err
	}
	before, _ := s.usage()
	sent, err := b.publishAll(ctx, newPublisher(s.URL), users)
	if err != nil {
		return run, err
	}
	after, rss := s.usage()
	for deadline := time.Now().Add(b.Settle); came.count() < len(sent) && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	run.latencies, err = match(sent, came)
	run.cpu, run.rss = after-before, rss
	return run, err
}

// publishAll sends at the rate, whatever the answers take, and tells when each
// message was sent.
func (b *bench) publishAll(ctx context.Context, p *publisher, users []string) (map[string]time.Time, error) {
	var (
		mu   sync.Mutex
		wg   sync.WaitGroup
		sent = map[string]time.Time{}
		bad  error
	)
	tick := time.NewTicker(time.Second / time.Duration(b.Rate))
	defer tick.Stop()
	for n := range b.Rate * b.Seconds {
		<-tick.C
		wg.Go(func() {
			title := fmt.Sprintf("message %d", n)
			mu.Lock()
			sent[title] = time.Now()
			mu.Unlock()
			if err := p.publish(ctx, "user:"+users[n%len(users)], title); err != nil {
				mu.Lock()
				bad = err
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return sent, bad
}

// match demands that each message came exactly once.
func match(sent map[string]time.Time, came *arrivals) (latencies, error) {
	came.mu.Lock()
	defer came.mu.Unlock()
	all := make(latencies, 0, len(sent))
	for title, at := range sent {
		if n := len(came.at[title]); n != 1 {
			return nil, fmt.Errorf("%s came %d times", title, n)
		}
		all = append(all, came.at[title][0].Sub(at))
	}
	slices.Sort(all)
	return all, nil
}
