package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// measured is one benchmark of a package: its metrics in the order they are printed, each with a value a run.
type measured struct {
	name    string
	units   []string
	metrics map[string][]float64
}

// projecting has the projection measure itself, and its floors.
func (b *bench) projecting(ctx context.Context, _ string, r *report) error {
	return b.benchmarks(ctx, r, "Folding the log into Postgres", "The projection on a private Postgres, without the event store: the benchmarks of `internal/projections`, which say what "+
		"each figure and its floor is. Aims: 150,000 stored rows a second and 70 % of a bare `INSERT … SELECT` of the same rows; 20,000 events a second of fan-outs of five or fewer; a publish to 1,000,000 subscribers in all inboxes within 50 ms, "+
		"at the cost of one to 1,000.", "./internal/projections", "^Benchmark")
}

// answering has the queries measure themselves, and their floor.
func (b *bench) answering(ctx context.Context, _ string, r *report) error {
	return b.benchmarks(ctx, r, "Answering from Postgres", "Queries without HTTP: the benchmarks of `internal/queries`. Aims at p99: a page within 2 ms and counts within 5 ms, for a user with 50 topics, 5 of them large, and 10,000 notifications, of which 1,000 are joined and unread, "+
		"on 10 million stored rows.", "./internal/queries", "^BenchmarkFigure")
}

// authenticating has access control measure itself.
func (b *bench) authenticating(ctx context.Context, _ string, r *report) error {
	return b.benchmarks(ctx, r, "Finding out who sends a request", "Access control without HTTP: the benchmarks of `internal/access`. Aim: 30 µs a request once the key is cached. A token is seen before in all requests but the first that shows it.",
		"./internal/access", "^BenchmarkFigure")
}

func (b *bench) benchmarks(ctx context.Context, r *report, title, note, pkg, pattern string) error {
	fmt.Fprintf(os.Stderr, "%s: benchmarks of %s\n", title, pkg)
	test := exec.CommandContext(ctx, "go", "test", pkg, "-run", "^$", "-bench", pattern, "-count", strconv.Itoa(b.Runs), "-timeout", "30m")
	test.Stderr = os.Stderr
	out, err := test.Output()
	if err != nil {
		return fmt.Errorf("benchmarks of %s: %w: %s", pkg, err, out)
	}
	all, err := parseBenchmarks(out)
	if err != nil {
		return err
	}
	r.section(title, note, "benchmark", "figure", "")
	for _, m := range all {
		for _, unit := range m.units {
			r.row(m.name, median(m.metrics[unit], same).String("%.4g "+unit), "")
		}
	}
	return nil
}

// parseBenchmarks reads what go test prints of benchmarks (golang.org/design/14313-benchmark-format), but for the time of
// an operation where a benchmark reports figures of its own.
func parseBenchmarks(out []byte) (all []*measured, err error) {
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := fields[0]
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			name = name[:i] // the number of processors
		}
		i := slices.IndexFunc(all, func(m *measured) bool { return m.name == name })
		if i < 0 {
			i = len(all)
			all = append(all, &measured{name: name, metrics: map[string][]float64{}})
		}
		for pair := range slices.Chunk(fields[2:], 2) {
			if len(pair) < 2 {
				return nil, fmt.Errorf("a benchmark's line is cut short: %s", lines.Text())
			}
			if len(fields) > 4 && pair[1] == "ns/op" {
				continue
			}
			value, err := strconv.ParseFloat(pair[0], 64)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", lines.Text(), err)
			}
			if all[i].metrics[pair[1]] == nil {
				all[i].units = append(all[i].units, pair[1])
			}
			all[i].metrics[pair[1]] = append(all[i].metrics[pair[1]], value)
		}
	}
	return all, lines.Err()
}
