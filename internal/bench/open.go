package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

const (
	// killedAfter events a writer is killed: several times what the log keeps in memory tables.
	killedAfter = 300_000
	// openBytes of disk an event of the log needs while its files are rewritten.
	openBytes = 800
)

// opening kills a writer at full speed, and then takes the time until a node serves the log.
func (b *bench) opening(ctx context.Context, binary string, r *report) error {
	return inTemporary(func(dir string) error {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		data := filepath.Join(dir, "data")
		fmt.Fprintf(os.Stderr, "open: writing %d events\n", b.Store.Open)
		bytes, err := b.filled(ctx, data)
		if err != nil {
			return err
		}
		var took []time.Duration
		for n := range b.Runs {
			fmt.Fprintf(os.Stderr, "open: run %d of %d\n", n+1, b.Runs)
			one, err := openOnce(ctx, self, binary, data)
			if err != nil {
				return err
			}
			took = append(took, one)
		}
		r.section(fmt.Sprintf("Opening a log of %d events after a kill", b.Store.Open),
			fmt.Sprintf("%.1f GB on disk. A process writes %d more events at full speed and gets SIGKILL while it does; then from the start of `tidings node` until it says that it is ready.",
				float64(bytes)/1e9, killedAfter),
			"", "time", "aim")
		r.row("`tidings node`", median(took, time.Duration.Seconds).String("%.2f s"), "≤ 2 s")
		return nil
	})
}

func openOnce(ctx context.Context, self, binary, data string) (time.Duration, error) {
	writer, err := start(ctx, self, "fill", data)
	if err != nil {
		return 0, err
	}
	if err := writer.kill(); err != nil {
		return 0, err
	}
	began := time.Now()
	node, err := start(ctx, binary, nodeArguments(data)...)
	took := time.Since(began)
	if err != nil {
		return 0, err
	}
	return took, node.stop()
}

// filled makes the log, if there is room for it, and answers its size.
func (b *bench) filled(ctx context.Context, data string) (bytes int64, err error) {
	if err := fill(ctx, data, batchEvents); err != nil {
		return 0, err
	}
	stats, err := eventlog.StatsDirectory(ctx, data, eventlog.StatsOptions{})
	if err != nil {
		return 0, err
	}
	if needed := int64(b.Store.Open) * openBytes; stats.FreeBytes >= 0 && stats.FreeBytes < needed {
		return 0, fmt.Errorf("%s has %d MB free and the log needs %d MB: set TMPDIR, or make it smaller with --store-open", data, stats.FreeBytes>>20, needed>>20)
	}
	if err := fill(ctx, data, b.Store.Open-batchEvents); err != nil {
		return 0, err
	}
	stats, err = eventlog.StatsDirectory(ctx, data, eventlog.StatsOptions{})
	if err != nil {
		return 0, err
	}
	return stats.Bytes.Tables + stats.Bytes.WAL + stats.Bytes.Other, nil
}

// fillCommand writes into a log until it is killed.
type fillCommand struct {
	Dir string `arg:""`
}

// Run says that it is ready once it has written for a while, and goes on.
func (c *fillCommand) Run(ctx context.Context) error {
	log, err := eventlog.Open(c.Dir, eventlog.Options{})
	if err != nil {
		return err
	}
	var said sync.Once
	err = fillUntil(ctx, log, func(written int) bool {
		if written >= killedAfter {
			said.Do(func() { fmt.Println("ready " + c.Dir) })
		}
		return false
	})
	return errors.Join(err, log.Close())
}
