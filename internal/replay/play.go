package replay

import (
	"cmp"
	"context"
	"fmt"
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
