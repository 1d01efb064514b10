package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// importing replays a generated history, and verifies what came of it.
func (b *bench) importing(ctx context.Context, binary string, r *report) error {
	dir, err := os.MkdirTemp("", "tidings-bench-workload-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // leaves at worst a temporary directory
	file := filepath.Join(dir, "workload.ndjson")
	if out, err := exec.CommandContext(ctx, binary, "workload", "--seed", "1", "--out", file).CombinedOutput(); err != nil {
		return fmt.Errorf("generate: %w: %s", err, out)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	lines := float64(bytes.Count(text, []byte("\n")))
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var took, verified, floors []time.Duration
	for n := range b.Runs { // interleaved, so that both see the same machine
		fmt.Fprintf(os.Stderr, "import: run %d of %d\n", n+1, b.Runs)
		floor, _, err := importOnce(ctx, binary, file, false, self, "floor")
		if err != nil {
			return fmt.Errorf("floor: %w", err)
		}
		imported, both, err := importOnce(ctx, binary, file, true, binary, "dev", "--data", "data", "--listen", "127.0.0.1:0", "--store-listen", "127.0.0.1:0")
		if err != nil {
			return err
		}
		took, verified, floors = append(took, imported), append(verified, both), append(floors, floor)
	}
	r.section("Import of a generated history (`tidings workload --seed 1`)",
		"Each line a request of its own over HTTP, durable before it is answered, in the file's order where it matters; then every inbox is read back and compared. "+
			"Floor: the same requests to net/http, which answers them and keeps nothing.",
		"", "lines", "lines/s", "import", "import and verify")
	seconds := func(d time.Duration) float64 { return d.Seconds() }
	rate := func(d time.Duration) float64 { return lines / d.Seconds() }
	r.row("Tidings", fmt.Sprintf("%.0f", lines), median(took, rate).String("%.0f"),
		median(took, seconds).String("%.1f s"), median(verified, seconds).String("%.1f s"))
	r.row("floor", fmt.Sprintf("%.0f", lines), median(floors, rate).String("%.0f"), median(floors, seconds).String("%.1f s"), "")
	return nil
}

// importOnce starts a server and replays the file to it with the binary.
func importOnce(ctx context.Context, binary, file string, verify bool, server string, args ...string) (imported, verified time.Duration, err error) {
	s, err := start(ctx, server, args...)
	if err != nil {
		return 0, 0, err
	}
	defer func() {
		if stopped := s.stop(); err == nil {
			err = stopped
		}
	}()
	run := func(args ...string) (time.Duration, error) {
		began := time.Now()
		out, err := exec.CommandContext(ctx, binary, append([]string{"import", file, "--url", s.URL}, args...)...).CombinedOutput()
		if err != nil {
			return 0, fmt.Errorf("import: %w: %s", err, out)
		}
		return time.Since(began), nil
	}
	if imported, err = run(); err != nil || !verify {
		return imported, 0, err
	}
	// The second run finds everything done and only verifies.
	verified, err = run("--verify", file+".expected.json")
	return imported, imported + verified, err
}
