package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// appending has writers append into the log, without gRPC.
func (b *bench) appending(ctx context.Context, _ string, r *report) error {
	var ours, floors []float64
	for n := range b.Runs { // interleaved, so that both see the same machine
		fmt.Fprintf(os.Stderr, "append: run %d of %d\n", n+1, b.Runs)
		floor, err := b.appendRawOnce(ctx)
		if err != nil {
			return fmt.Errorf("floor: %w", err)
		}
		one, err := b.appendOnce(ctx)
		if err != nil {
			return err
		}
		ours, floors = append(ours, one), append(floors, floor)
	}
	r.section(fmt.Sprintf("Append into the log, %d writers", b.Store.Writers),
		fmt.Sprintf("Each event a new stream's first, %d B of data and %d B of metadata, durable before the writer goes on; without gRPC. "+
			"Floor: the same bytes one behind the other in a file, one fsync for all that wait.", dataBytes, metadataBytes),
		"", "appends/s", "of the floor", "aim")
	r.row("the log", median(ours, same).String("%.0f"), ratio(ours, floors), "≥ 30000, ≥ 50 %")
	r.row("floor", median(floors, same).String("%.0f"), "", "")
	return nil
}

func (b *bench) appendOnce(ctx context.Context) (perSecond float64, err error) {
	err = inTemporary(func(dir string) error {
		log, err := eventlog.Open(dir, eventlog.Options{})
		if err != nil {
			return err
		}
		perSecond, err = write(ctx, b.Store.Writers, b.Store.Span, func(ctx context.Context) error {
			_, err := log.Append(ctx, newStream(), eventlog.NoStream, newEvent())
			return err
		})
		if closed := log.Close(); err == nil {
			err = closed
		}
		return err
	})
	return perSecond, err
}

func (b *bench) appendRawOnce(ctx context.Context) (perSecond float64, err error) {
	err = inTemporary(func(dir string) error {
		log, err := openRaw(filepath.Join(dir, "segment"))
		if err != nil {
			return err
		}
		perSecond, err = write(ctx, b.Store.Writers, b.Store.Span, func(context.Context) error {
			return log.append(newStream(), newEvent())
		})
		if closed := log.close(); err == nil {
			err = closed
		}
		return err
	})
	return perSecond, err
}

// inTemporary has f use a directory that exists as long as f runs.
func inTemporary(f func(dir string) error) error {
	dir, err := os.MkdirTemp("", "tidings-bench-store-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // leaves at worst a temporary directory
	return f(dir)
}
