package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// idling starts nodes that nobody calls, and weighs them.
func (b *bench) idling(ctx context.Context, binary string, r *report) error {
	return inTemporary(func(dir string) error {
		data := filepath.Join(dir, "data")
		fmt.Fprintf(os.Stderr, "idle: writing %d events\n", b.Store.Read)
		if err := fill(ctx, data, b.Store.Read); err != nil {
			return err
		}
		var fresh, full []int64
		for n := range b.Runs {
			fmt.Fprintf(os.Stderr, "idle: run %d of %d\n", n+1, b.Runs)
			one, err := weigh(ctx, binary, "data")
			if err != nil {
				return err
			}
			other, err := weigh(ctx, binary, data)
			if err != nil {
				return err
			}
			fresh, full = append(fresh, one), append(full, other)
		}
		r.section("Memory of an idle node", "RSS of `tidings node`, three seconds after it was ready.", "", "RSS", "aim")
		mebibytes := func(bytes int64) float64 { return float64(bytes) / (1 << 20) }
		r.row("an empty log", median(fresh, mebibytes).String("%.0f MiB"), "≤ 60 MB")
		r.row(fmt.Sprintf("a log of %d events", b.Store.Read), median(full, mebibytes).String("%.0f MiB"), "≤ 60 MB")
		return nil
	})
}

// rest lets a node finish what opening the log began.
const rest = 3 * time.Second

func weigh(ctx context.Context, binary, dir string) (rss int64, err error) {
	err = withServer(ctx, func(s *server) error {
		if err := pause(ctx, rest); err != nil {
			return err
		}
		_, rss = s.usage()
		return nil
	}, binary, nodeArguments(dir)...)
	return rss, err
}
