package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/tidings-io/tidings/internal/process"
	"github.com/tidings-io/tidings/internal/workload"
)

// importCmd is `tidings import`: it replays a workload through the HTTP API.
type importCmd struct {
	process.TokenFlags

	File        string        `arg:"" help:"Workload to replay, as tidings workload writes it: lines of JSON, plain or compressed with gzip." type:"existingfile"`
	URL         string        `name:"url" help:"Where the API is." default:"http://127.0.0.1:8080" env:"TIDINGS_URL"`
	Verify      string        `help:"Afterwards compare every inbox with this expected outcome, which tidings workload writes beside the workload." placeholder:"EXPECTED.json" type:"existingfile"`
	Concurrency int           `help:"Requests under way at once." default:"64" unit:"requests"`
	Patience    time.Duration `help:"How long a server that is away is waited for." default:"3m"`
}

// Validate makes wrong values a matter of usage, before anything is opened.
func (c *importCmd) Validate() error {
	if c.Concurrency < 1 || c.Concurrency > 1024 {
		return errors.New("--concurrency must be between 1 and 1024")
	}
	if c.Patience < 0 {
		return errors.New("--patience must not be negative")
	}
	return checkURL("--url", c.URL)
}

// Run imports, and verifies if asked to. It may be stopped at any time and run again.
func (c *importCmd) Run(ctx context.Context) error {
	w, err := workload.Open(c.File)
	if err != nil {
		return err
	}
	var want *workload.Outcome
	if c.Verify != "" {
		if want, err = workload.OpenOutcome(c.Verify); err != nil {
			return err
		}
	}
	server, err := c.Server(c.URL, c.Patience)
	if err != nil {
		return err
	}
	report, err := c.replay(ctx, w, server)
	if err != nil || want == nil {
		return err
	}
	return c.compare(ctx, &workload.Verification{
		Workload: w, Server: server, Want: want, Concurrency: c.Concurrency,
		Notifications: report.Notifications, Last: report.Last,
	})
}

func (c *importCmd) replay(ctx context.Context, w *workload.Workload, server *workload.Server) (*workload.Report, error) {
	bar := progress("import")
	server.Away = func(why error) { bar.Notice("waiting for the server: " + why.Error()) }
	work := workload.Import{
		Workload: w, Server: server, Concurrency: c.Concurrency,
		Progress: func(done, _ int) { bar.Show(done, len(w.Ops)) },
	}
	report, err := work.Run(ctx)
	bar.Done()
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("import %s: %w; run it again to go on from there", c.File, err)
	}
	if err != nil {
		return nil, fmt.Errorf("import %s: %w", c.File, err)
	}
	sent := report.Lines - report.Resumed
	fmt.Printf("imported %d lines in %s (%.0f/s)", sent, report.Took.Round(time.Millisecond), float64(sent)/report.Took.Seconds())
	fmt.Printf("; %d were done before, %d attempts were repeated; last position %d\n", report.Resumed, report.Retries, report.Last)
	return report, nil
}

func (c *importCmd) compare(ctx context.Context, v *workload.Verification) error {
	bar := progress("verify")
	v.Server.Away = func(why error) { bar.Notice("waiting for the server: " + why.Error()) }
	v.Progress = bar.Show
	verdict, err := v.Run(ctx)
	bar.Done()
	if err != nil {
		return fmt.Errorf("verify against %s: %w", c.Verify, err)
	}
	if len(verdict.Differences) == 0 {
		fmt.Printf("verified: %d items in %d inboxes and every total match, sha256 %s (%s)\n",
			verdict.Got.InboxItems, verdict.Got.UsersWithItems, verdict.Got.Hash, verdict.Took.Round(time.Millisecond))
		return nil
	}
	for _, difference := range verdict.Differences {
		fmt.Fprintln(os.Stderr, difference)
	}
	return fmt.Errorf("the outcome differs from %s in %d places", c.Verify, len(verdict.Differences)+verdict.Omitted)
}

func progress(task string) *workload.Progress {
	return &workload.Progress{Out: os.Stderr, Terminal: workload.IsTerminal(os.Stderr), Task: task}
}
