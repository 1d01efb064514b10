package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/alecthomas/kong"
)

type bench struct {
	Out     string        `help:"Directory for the report." default:"docs/bench"`
	Runs    int           `help:"Runs of each scenario; the median counts." default:"3"`
	Seconds int           `help:"Length of a run at a constant rate." default:"10"`
	Rate    int           `help:"Publishes a second." default:"500"`
	Readers int           `help:"Connected readers, each a user of their own." default:"1000"`
	Settle  time.Duration `help:"How long messages may be on their way after the last publish." default:"10s"`
	Only    string        `help:"One scenario: import or stream." enum:"import,stream,all" default:"all"`

	Floor floorCommand `cmd:"" hidden:"" help:"Serve the floor of both scenarios."`
	Run   runCommand   `cmd:"" default:"1" help:"Measure and report."`
}

type runCommand struct{}

// Run measures with the flags of the grammar it belongs to.
func (r *runCommand) Run(b *bench, ctx context.Context) error { return b.run(ctx) } //nolint:revive // kong binds by type

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var b bench
	parsed := kong.Parse(&b, kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(&b))
	if err := parsed.Run(); err != nil {
		stop()
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

func (b *bench) run(ctx context.Context) error {
	binary, clean, err := build(ctx)
	if err != nil {
		return err
	}
	defer clean()
	r := newReport(ctx)
	if b.Only != "stream" {
		if err := b.importing(ctx, binary, r); err != nil {
			return fmt.Errorf("import: %w", err)
		}
	}
	if b.Only != "import" {
		if err := b.streaming(ctx, binary, r); err != nil {
			return fmt.Errorf("publish to stream: %w", err)
		}
	}
	return r.write(b.Out)
}
