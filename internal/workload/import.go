package workload

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
)

// Import drives a server with a workload.
type Import struct {
	Workload *Workload
	Server   *Server
	// Concurrency is how many requests are under way at once; 0 means 64.
	Concurrency int
	// Lookahead is how many lines that are not done are considered at once; 0 means 4,096. When they all wait for
	// others, the lines after them wait too.
	Lookahead int
	// Progress is told, when not nil, how many lines are done; resumed of them were done before this run. It is called
	// from one goroutine.
	Progress func(done, resumed int)
}

const (
	defaultConcurrency = 64   // group commit makes more of many writers; beyond this the two cores only queue
	defaultLookahead   = 4096 // about a tenth of the real workload, a few megabytes
)

// Report says what an import did.
type Report struct {
	Lines    int
	Resumed  int // lines that were done before
	Replayed int // publishes the server had taken before, told by their key
	Retries  int // attempts beyond the first
	Took     time.Duration
	// Last is the highest position that any line has caused.
	Last uint64
	// Notifications maps the id the server gave each publish to the publish's own.
	Notifications map[string]string
}

// Run performs every line that is not done yet and returns when all are. It stops at the first line the server refuses,
// and when ctx ends; then it may be run again, here or in another process, and goes on where it stopped.
func (i *Import) Run(ctx context.Context) (*Report, error) {
	began := time.Now()
	sofar, err := i.Workload.resume(ctx, i.Server)
	if err != nil {
		return nil, err
	}
	r := &run{
		Import:  i,
		sofar:   sofar,
		order:   newOrder(),
		work:    make(chan *node),
		results: make(chan result),
		report:  &Report{Lines: len(i.Workload.Ops), Last: sofar.last, Notifications: sofar.notifications},
	}
	for _, done := range sofar.done {
		if done {
			r.report.Resumed++
		}
	}
	err = r.all(ctx)
	r.report.Retries = i.Server.Retries()
	r.report.Took = time.Since(began)
	return r.report, err
}

// run is an import under way. All fields but the channels belong to the scheduling goroutine.
type run struct {
	*Import
	sofar   *progressSoFar
	order   *order
	ready   []*node // may be sent, oldest first; at most Lookahead
	next    int     // index of the first op not looked at
	waiting int     // ops added to order and not done
	report  *Report
	work    chan *node
	results chan result
}

// result is a line that the server has answered.
type result struct {
	node   *node
	answer changeAnswer
	reply  Reply
}

// all runs the scheduler and its workers until every line is done or one fails.
func (r *run) all(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for range cmp.Or(r.Concurrency, defaultConcurrency) {
		group.Go(func() error { return r.send(ctx) })
	}
	group.Go(func() error {
		defer close(r.work)
		return r.schedule(ctx)
	})
	return group.Wait() // the goroutines' errors name their lines
}

// schedule hands out lines in an order that keeps the outcome, until all are done.
func (r *run) schedule(ctx context.Context) error {
	finished := r.report.Resumed
	r.tell(finished)
	for {
		r.admit()
		if r.waiting == 0 {
			return nil
		}
		var work chan *node // nil, so never chosen, while nothing is ready
		var first *node
		if len(r.ready) > 0 {
			work, first = r.work, r.ready[0]
		}
		select {
		case work <- first:
			r.ready = r.ready[1:]
		case got := <-r.results:
			if err := r.take(got); err != nil {
				return err
			}
			finished++
			r.tell(finished)
		case <-ctx.Done():
			return fmt.Errorf("stopped with %d of %d lines done: %w", finished, r.report.Lines, context.Cause(ctx))
		}
	}
}

// admit fills the look-ahead with lines that are not done.
func (r *run) admit() {
	ops := r.Workload.Ops
	for ; r.next < len(ops) && r.waiting < cmp.Or(r.Lookahead, defaultLookahead); r.next++ {
		if r.sofar.done[r.next] {
			continue
		}
		r.waiting++
		if n := r.order.add(&ops[r.next]); n.waitFor == 0 {
			r.ready = append(r.ready, n)
		}
	}
}

func (r *run) take(got result) error {
	op := got.node.op
	position, err := strconv.ParseUint(got.answer.Position, 10, 64)
	if err != nil {
		return fmt.Errorf("%s: read position of the answer: %w", op, err)
	}
	r.report.Last = max(r.report.Last, position)
	if op.Kind == Publish {
		r.report.Notifications[got.answer.ID] = op.ID
		if got.reply.Replayed {
			r.report.Replayed++
		}
	}
	r.waiting--
	r.ready = append(r.ready, r.order.done(got.node)...)
	return nil
}

func (r *run) tell(done int) {
	if r.Progress != nil {
		r.Progress(done, r.report.Resumed)
	}
}

// send is one worker: it performs lines as they are handed out.
func (r *run) send(ctx context.Context) error {
	for n := range r.work {
		answer, got, err := r.Server.send(ctx, n.op, r.Workload.correlation(n.op.Line))
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the scheduler, or the worker that failed, says why
		}
		if err != nil {
			return fmt.Errorf("%s: %w", n.op, err)
		}
		select {
		case r.results <- result{n, answer, got}:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}
