package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
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
	Members int           `help:"Subscribers of the largest topic." default:"1000000"`
	Only    []string      `help:"Scenarios, in this order, instead of all: import, stream, fold, answer, broadcast, append, grpc, read, export, open, slow, idle, access." enum:"access,export,import,stream,fold,answer,broadcast,append,grpc,read,open,slow,idle"`

	Store storeFlags `embed:"" prefix:"store-"`

	Floor     floorCommand     `cmd:"" hidden:"" help:"Serve the floor of import and stream."`
	FloorNode floorNodeCommand `cmd:"" hidden:"" help:"Serve the floor of grpc and of reading by subscription."`
	Fill      fillCommand      `cmd:"" hidden:"" help:"Write into a log as fast as it goes."`
	Hold      holdCommand      `cmd:"" hidden:"" help:"Hold subscriptions without reading them."`
	Run       runCommand       `cmd:"" default:"1" help:"Measure and report."`
}

// storeFlags are the sizes of the scenarios of the event store.
type storeFlags struct {
	Span    time.Duration `help:"How long writers are measured, after one second to warm up." default:"4s"`
	Writers int           `help:"Writers at once." default:"64"`
	Read    int           `help:"Events of the log that is read or exported, and that the idle node has opened." default:"1000000"`
	Open    int           `help:"Events of the log that is opened after a kill; ten million need about 5 GB." default:"10000000"`
	Holders int           `help:"Subscriptions that do not read." default:"10000"`
}

type runCommand struct{}

// Run measures with the flags of the grammar it belongs to.
func (r *runCommand) Run(b *bench, ctx context.Context) error { return b.run(ctx) } //nolint:revive // kong binds by type

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var b bench
	parsed := kong.Parse(&b, kong.Description("Measure the figures that the README states."), kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(&b))
	if err := parsed.Run(); err != nil {
		stop()
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

// scenario measures with the binary and adds a section to the report.
type scenario struct {
	name string
	run  func(ctx context.Context, binary string, r *report) error
}

func (b *bench) scenarios() []scenario {
	return []scenario{
		{"import", b.importing},
		{"stream", b.streaming},
		{"fold", b.projecting},
		{"answer", b.answering},
		{"broadcast", b.broadcasting},
		{"append", b.appending},
		{"grpc", b.calling},
		{"read", b.reading},
		{"export", b.exporting},
		{"open", b.opening},
		{"slow", b.slowing},
		{"idle", b.idling},
		{"access", b.authenticating},
	}
}

func (b *bench) run(ctx context.Context) error {
	binary, clean, err := build(ctx)
	if err != nil {
		return err
	}
	defer clean()
	r := newReport(ctx)
	for _, s := range b.scenarios() {
		if len(b.Only) > 0 && !slices.Contains(b.Only, s.name) {
			continue
		}
		if err := s.run(ctx, binary, r); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return r.write(b.Out)
}
