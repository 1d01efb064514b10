package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/tidings-io/tidings/internal/workload"
)

// Play plays the events of a log into another instance as commands. Its fields are set before Run.
type Play struct {
	Source     Source
	Target     *workload.Server
	Checkpoint *Checkpoint
	// Speed is how many times as fast as it was recorded; 0 is as fast as the other instance takes it.
	Speed float64
	// Strict ends the run at the first event that the other instance refuses for good, without passing it.
	Strict bool
	// Concurrency is how many commands are under way at once; 0 means 64.
	Concurrency int
	// Window is how many events are considered at once; 0 means 4,096.
	Window int
	// Progress is told, when not nil, up to where everything is done, and when that was recorded. It is called from one
	// goroutine.
	Progress func(position uint64, at time.Time)
	// Notice is told, when not nil, what somebody who watches should know. It is called from another goroutine than
	// Progress is.
	Notice func(string)
}

const (
	defaultConcurrency = 64   // as the importer's: beyond it two cores only queue
	defaultWindow      = 4096 // events
	// maxWindowBytes bounds the window where events are large; one is always let in.
	maxWindowBytes = 64 << 20
	// readAhead is how many events wait to be considered: enough to cover a pause of the source.
	readAhead = 256
	// maxConflicts is how often a command is sent that others contend for.
	maxConflicts = 5
)

// Run plays what the source has after the checkpoint and returns when all is done. It stops at the first fault, and
// when ctx ends; then it may be run again, here or in another process, and goes on where it stopped. The report is
// never nil.
func (p *Play) Run(ctx context.Context) (*Report, error) {
	began := time.Now()
	r := &run{
		Play: p, order: newOrder(), report: newReport(),
		events: make(chan Event, readAhead), work: make(chan job), results: make(chan result),
	}
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return r.read(running) })
	for range cmp.Or(p.Concurrency, defaultConcurrency) {
		group.Go(func() error { return r.send(running) })
	}
	group.Go(func() error {
		defer close(r.work)
		return r.schedule(running)
	})
	err := group.Wait()
	r.report.Took = time.Since(began)
	r.report.Retries = p.Target.Retries()
	if err != nil {
		return r.report, fmt.Errorf("replay, done up to position %d: %w", p.Checkpoint.reached, err)
	}
	return r.report, nil
}

// run is a replay under way. All fields but the channels belong to the scheduling goroutine.
type run struct {
	*Play
	order   *order
	window  []*step // not done, or before one that is not, in the order of the log
	bytes   int     // of the window
	ready   []*step // to be sent, oldest first
	head    job     // the command of the first of them, once it is made
	report  *Report
	events  chan Event
	work    chan job
	results chan result
}

// job is a command to be sent, and result what became of it.
type job struct {
	step    *step
	request workload.Request
}

type result struct {
	step   *step
	answer answer
	again  bool
	err    error // what the other instance refuses for good
}

type answer struct {
	ID       uuid.UUID `json:"id"` // of a notification
	Position uint64    `json:"position,string"`
}

// read hands on what the source has, each event when it is due.
func (r *run) read(ctx context.Context) error {
	defer close(r.events)
	due := pace{speed: r.Speed, notice: r.Notice}
	for e, err := range r.Source(ctx, r.Checkpoint.reached) {
		if err != nil {
			return err
		}
		if err := due.wait(ctx, &e); err != nil {
			return err
		}
		e.Text = nil // the next event takes its place
		select {
		case r.events <- e:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// schedule hands out commands in an order that keeps the outcome, until all are done.
func (r *run) schedule(ctx context.Context) error {
	for events := r.events; ; {
		next, err := r.next()
		if err != nil {
			return err
		}
		if events == nil && len(r.window) == 0 {
			return nil
		}
		work, taken := r.work, events
		if next.step == nil {
			work = nil // never chosen
		}
		if len(r.window) >= cmp.Or(r.Window, defaultWindow) || r.bytes > maxWindowBytes {
			taken = nil
		}
		select {
		case work <- next:
			r.ready = r.ready[1:]
		case got := <-r.results:
			if err := r.take(&got); err != nil {
				return err
			}
		case e, more := <-taken:
			if !more {
				events = nil
			} else if err := r.admit(&e); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// next is the command of the first step that is ready and has one; those before it that have none are done with.
func (r *run) next() (job, error) {
	for len(r.ready) > 0 {
		s := r.ready[0]
		if r.head.step == s {
			return r.head, nil
		}
		request, something, err := s.command(&r.Checkpoint.places)
		switch {
		case err != nil:
			if err := r.refused(s, err); err != nil {
				return job{}, err
			}
		case !something:
			r.report.Void[s.event.Type]++
		default:
			r.head = job{s, request}
			return r.head, nil
		}
		r.ready = r.ready[1:]
		if err := r.finish(s); err != nil {
			return job{}, err
		}
	}
	return job{}, nil
}

// admit takes the next event of the log into the window.
func (r *run) admit(e *Event) error {
	s := &step{event: *e}
	r.report.Events++
	r.window = append(r.window, s)
	r.bytes += s.bytes()
	var err error
	s.form, s.fact, err = understand(e)
	switch {
	case err != nil:
		s.form.kind = ofTheInstance // nothing waits for it
		if err := r.refused(s, err); err != nil {
			return err
		}
		return r.finish(s)
	case s.form.kind == ofTheInstance:
		r.report.LeftOut[e.Type]++
		return r.finish(s)
	}
	if r.order.add(s); s.waitFor == 0 {
		r.ready = append(r.ready, s)
	}
	return nil
}

// take takes what became of a command.
func (r *run) take(got *result) error {
	s := got.step
	if got.err != nil {
		if err := r.refused(s, got.err); err != nil {
			return err
		}
		return r.finish(s)
	}
	r.report.Done[s.event.Type]++
	r.report.Last = max(r.report.Last, got.answer.Position)
	if s.form.kind == publishes {
		if got.again {
			r.report.Again++
		}
		if err := r.Checkpoint.published(s.fact.NotificationID, s.event.Position, got.answer.ID, got.answer.Position); err != nil {
			return err
		}
	}
	return r.finish(s)
}

// refused notes what cannot be played, or ends the run.
func (r *run) refused(s *step, why error) error {
	if r.Strict {
		return fmt.Errorf("%s at %d (%s) is refused: %w", s.event.Type, s.event.Position, s.event.Stream, why)
	}
	r.report.refuse(&s.event, why)
	return nil
}

// finish is done with a step, readies those that waited for it, and moves the checkpoint if nothing before it is left.
func (r *run) finish(s *step) error {
	s.finished = true
	r.ready = append(r.ready, r.order.done(s)...)
	passed := slices.IndexFunc(r.window, func(s *step) bool { return !s.finished })
	switch passed {
	case 0:
		return nil
	case -1:
		passed = len(r.window)
	}
	last := r.window[passed-1].event
	for _, s := range r.window[:passed] {
		r.bytes -= s.bytes()
	}
	clear(r.window[:passed])
	r.window = r.window[passed:]
	if r.Progress != nil {
		r.Progress(last.Position, last.At)
	}
	return r.Checkpoint.done(last.Position)
}

// send is one worker: it sends commands as they are handed out.
func (r *run) send(ctx context.Context) error {
	for j := range r.work {
		got, err := r.sendOne(ctx, j)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the scheduler, or the worker that failed, says why
		}
		if err != nil {
			return fmt.Errorf("%s at %d (%s): %w", j.step.event.Type, j.step.event.Position, j.step.event.Stream, err)
		}
		select {
		case r.results <- got:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// sendOne sends a command until it is answered. The error is one that ends the run.
func (r *run) sendOne(ctx context.Context, j job) (result, error) {
	for tries := 1; ; tries++ {
		got := result{step: j.step}
		reply, err := r.Target.Do(ctx, j.request, &got.answer)
		var problem *workload.Problem
		switch {
		case err == nil:
			got.again = reply.Replayed
			return got, nil
		case !errors.As(err, &problem):
			return got, err
		case problem.Status == http.StatusConflict && problem.Code == "conflict" && tries < maxConflicts:
			continue // others kept changing the same thing; the server has tried four times itself
		case forGood(problem):
			got.err = problem
			return got, nil
		default:
			return got, err
		}
	}
}

// forGood says whether a refusal is about the event alone, so that the next one may fare better: not where it is about
// who asks, how, or whom.
func forGood(p *workload.Problem) bool {
	return slices.Contains([]string{
		"validation", "malformed", "too_large", "notification_not_found", "stream_deleted", "idempotency_key_reused", "conflict",
	}, p.Code)
}
