package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tidings-io/tidings/internal/replay"
	"github.com/tidings-io/tidings/internal/workload"
)

// replaying is a replay as it was asked for.
type replaying struct {
	*replayCmd

	bar  *workload.Progress
	pick replay.Pick
	log  *replay.Log
	file *replay.File
}

// waits shows that a server is away.
func (w *replaying) waits(whom string) func(error) {
	return func(why error) { w.bar.Notice("waiting for " + whom + ": " + why.Error()) }
}

func (w *replaying) source() replay.Source {
	if w.FromFile != "" {
		return w.file.Read
	}
	return w.log.Read
}

// show tells how far it is, in positions of the log; of a file, whose end is not known, only by the time reached.
func (w *replaying) show(ctx context.Context) func(uint64, time.Time) {
	total := uint64(0)
	if w.FromFile == "" {
		total, _ = w.log.Head(ctx) // a bar without an end will do
	}
	if w.Until > 0 {
		total = min(total, w.Until)
	}
	return func(position uint64, at time.Time) {
		total = max(total, position)
		w.bar.Reached(at.UTC().Format(time.DateTime))
		w.bar.Show(clamp(position), clamp(total))
	}
}

// clamp is a position as a bar takes it.
func clamp(position uint64) int {
	return int(min(position, math.MaxInt))
}

func (w *replaying) export(ctx context.Context) error {
	x := replay.Export{Source: w.log.Read, First: w.log.First}
	if w.Output == "-" {
		_, err := x.To(ctx, os.Stdout)
		return err
	}
	x.Progress = w.show(ctx)
	done, err := x.ToFile(ctx, w.Output)
	w.bar.Done()
	fmt.Printf("%s: wrote %d events in %s (%.0f/s), up to position %d", w.Output, done.Events, done.Took.Round(time.Millisecond),
		float64(done.Events)/done.Took.Seconds(), done.Last)
	if done.After > 0 {
		fmt.Printf("; went on after position %d", done.After)
	}
	if done.Dropped > 0 {
		fmt.Printf("; %d bytes of a half-written line were cut off", done.Dropped)
	}
	fmt.Println()
	return err
}

func (w *replaying) count(ctx context.Context) error {
	report, err := replay.Count(w.source()(ctx, 0))
	fmt.Printf("%d events would be played:%s\n", report.Played(), byType(report.Done))
	w.tell(report)
	return err
}

func (w *replaying) play(ctx context.Context) error {
	token, err := w.TargetToken()
	if err != nil {
		return err
	}
	client, err := w.Client()
	if err != nil {
		return err
	}
	target := &workload.Server{URL: w.To, Token: token, Client: client, Patience: w.Patience, Away: w.waits("the other instance")}
	pair, err := w.pair(ctx, target)
	if err != nil {
		return err
	}
	path := w.Checkpoint
	if path == "" {
		path = fmt.Sprintf("tidings-replay-%.8s-%.8s.checkpoint", pair.Source, pair.Target)
	}
	checkpoint, err := replay.OpenCheckpoint(path, pair)
	if err != nil {
		return err
	}
	before := checkpoint.Reached()
	work := replay.Play{
		Source: w.source(), Target: target, Checkpoint: checkpoint, Speed: w.Speed, Strict: w.Strict, Concurrency: w.Concurrency,
		Progress: w.show(ctx), Notice: w.bar.Notice,
	}
	report, err := work.Run(ctx)
	w.bar.Done()
	fmt.Printf("played %d events in %s (%.0f/s):%s\n", report.Played(), report.Took.Round(time.Millisecond),
		float64(report.Played())/report.Took.Seconds(), byType(report.Done))
	if before > 0 {
		fmt.Printf("went on after position %d; %d publishes had been taken before\n", before, report.Again)
	}
	w.tell(report)
	fmt.Printf("%s: done up to position %d; last position in the other instance %d; %d attempts were repeated\n",
		path, checkpoint.Reached(), report.Last, report.Retries)
	return errors.Join(err, checkpoint.Close())
}

// pair names the two logs, and refuses to play one into itself.
func (w *replaying) pair(ctx context.Context, target *workload.Server) (replay.Pair, error) {
	there, err := (&replay.Log{Server: target}).Name(ctx)
	if err != nil {
		return replay.Pair{}, fmt.Errorf("the instance at --to: %w", err)
	}
	name := w.log.Name
	if w.FromFile != "" {
		name = func(context.Context) (string, error) { return w.file.Name() }
	}
	here, err := name(ctx)
	if err != nil {
		return replay.Pair{}, err
	}
	if here == there {
		return replay.Pair{}, fmt.Errorf("the instance at --to has the very log that is read (%s)", here)
	}
	return replay.Pair{Source: here, Target: there, Pick: w.pick.Kind()}, nil
}

// tell says what was not played.
func (w *replaying) tell(report *replay.Report) {
	if len(report.LeftOut) > 0 {
		fmt.Printf("left out, as they belong to the instance itself:%s\n", byType(report.LeftOut))
	}
	if len(report.Void) > 0 {
		fmt.Printf("left out, as they are about nothing that was replayed:%s\n", byType(report.Void))
	}
	if report.Refused == 0 {
		return
	}
	fmt.Printf("refused: %d\n", report.Refused)
	for _, refusal := range report.Refusals {
		fmt.Println(" ", replay.Seen(refusal))
	}
	if more := report.Refused - len(report.Refusals); more > 0 {
		fmt.Printf("  and %d more\n", more)
	}
}

// byType is counts in the order of their names.
func byType(counts map[string]int) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, " %s %d", replay.Seen(name), counts[name])
	}
	return b.String()
}
