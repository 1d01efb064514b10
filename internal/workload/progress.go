package workload

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Progress shows how far a long task is: a bar with rate and remaining time on a terminal, else a line every few
// seconds. It is safe for concurrent use.
type Progress struct {
	// Out is where it shows, normally standard error.
	Out io.Writer
	// Terminal says that Out is one.
	Terminal bool
	// Task names what is being done, such as "import".
	Task string

	mu      sync.Mutex
	bar     *progressbar.ProgressBar
	began   time.Time
	at      int // done when it began
	told    time.Time
	noticed time.Time
	reached string
}

const (
	betweenLines   = 5 * time.Second // without a terminal: readable in a log of an hour
	betweenNotices = 5 * time.Second // many requests meet the same trouble
)

// IsTerminal says whether a file is a terminal, or another character device.
func IsTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Show tells that done of total are done. The rate is that of what was done since the first call.
func (p *Progress) Show(done, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.began.IsZero() {
		p.began, p.told, p.at = time.Now(), time.Now(), done
		if p.Terminal {
			p.bar = p.newBar(total - done)
		}
	}
	if p.bar != nil {
		if p.reached != "" {
			p.bar.Describe(p.Task + " " + p.reached)
		}
		_ = p.bar.Set(done - p.at) // a terminal that cannot be written to is no reason to stop
		return
	}
	if time.Since(p.told) >= betweenLines {
		p.told = time.Now()
		p.line(done, total)
	}
}

// Reached is shown beside the next progress: how far the task is in words of its own.
func (p *Progress) Reached(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reached = text
}

// Notice shows a line that is not about progress, at most one every few seconds.
func (p *Progress) Notice(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.noticed) < betweenNotices {
		return
	}
	p.noticed = time.Now()
	if p.bar != nil {
		_ = p.bar.Clear() // as in Show
	}
	p.print("%s: %s\n", p.Task, text)
}

// Done ends the showing, so that other lines can follow.
func (p *Progress) Done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Exit() // as in Show
		p.print("\n")
	}
}

func (p *Progress) newBar(total int) *progressbar.ProgressBar {
	return progressbar.NewOptions(total,
		progressbar.OptionSetWriter(p.Out),
		progressbar.OptionSetDescription(p.Task),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond), // ten redraws a second cost nothing and look smooth
		progressbar.OptionSetWidth(30),
	)
}

// line shows where it is without a bar. mu must be held.
func (p *Progress) line(done, total int) {
	rate := float64(done-p.at) / time.Since(p.began).Seconds()
	left := "unknown time"
	if rate > 0 {
		left = time.Duration(float64(total-done) / rate * float64(time.Second)).Round(time.Second).String()
	}
	reached := p.reached
	if reached != "" {
		reached = ", " + reached
	}
	p.print("%s: %d of %d, %.0f/s, %s left%s\n", p.Task, done, total, rate, left, reached)
}

func (p *Progress) print(format string, args ...any) {
	_, _ = fmt.Fprintf(p.Out, format, args...) // as in Show
}
