package process

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// taskProgress shows how far a task of the log is: a bar for each step on a terminal, else a line every few seconds.
type taskProgress struct {
	out      io.Writer
	terminal bool

	mu    sync.Mutex
	step  string
	bar   *progressbar.ProgressBar
	began time.Time
	told  time.Time
}

const betweenProgressLines = 5 * time.Second // readable in the log of an hour

func newTaskProgress(out *os.File) *taskProgress {
	return &taskProgress{out: out, terminal: term.IsTerminal(int(out.Fd()))}
}

// bytesOf tells whether a step counts bytes.
func bytesOf(step string) bool {
	return step == eventlog.StepCopy || step == eventlog.StepFiles || step == eventlog.StepTables
}

func (p *taskProgress) show(step string, done, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if step != p.step {
		p.end()
		p.step, p.began, p.told = step, time.Now(), time.Now()
		if p.terminal {
			p.bar = p.newBar(step, total)
		}
	}
	if p.bar != nil {
		p.bar.ChangeMax64(total)
		_ = p.bar.Set64(done) // a terminal that cannot be written to is no reason to stop
		return
	}
	if time.Since(p.told) >= betweenProgressLines {
		p.told = time.Now()
		unit, by := "", int64(1)
		if bytesOf(step) {
			unit, by = " MiB", 1<<20
		}
		rate := float64(done/by) / time.Since(p.began).Seconds()
		_, _ = fmt.Fprintf(p.out, "%s: %d of %d%s, %.0f%s/s\n", step, done/by, total/by, unit, rate, unit) // as above
	}
}

// done ends the showing, so that other lines can follow.
func (p *taskProgress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end()
}

// end takes the bar away. mu must be held.
func (p *taskProgress) end() {
	if p.bar != nil {
		_ = p.bar.Clear() // as above
		p.bar = nil
	}
}

func (p *taskProgress) newBar(step string, total int64) *progressbar.ProgressBar {
	return progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(p.out),
		progressbar.OptionSetDescription(step),
		progressbar.OptionShowBytes(bytesOf(step)),
		progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond), // ten redraws a second cost nothing and look smooth
		progressbar.OptionSetWidth(30),
	)
}
