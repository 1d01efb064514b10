package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report is Markdown, shown as it grows and written at the end.
type report struct {
	text   strings.Builder
	commit string
}

func newReport(ctx context.Context) *report {
	r := &report{commit: output(ctx, "git", "rev-parse", "--short", "HEAD")}
	if output(ctx, "git", "status", "--porcelain") != "" {
		r.commit += "-dirty"
	}
	cpu := "unknown CPU"
	info, _ := os.ReadFile("/proc/cpuinfo") // absent elsewhere than on Linux
	if _, after, ok := strings.Cut(string(info), "model name\t: "); ok {
		cpu, _, _ = strings.Cut(after, "\n")
	}
	fmt.Fprintf(&r.text, "# Figures of %s\n\nCommit `%s`, %s, %d CPUs (%s), %s/%s. Medians, with the range of all runs in brackets. Load generator, server, "+
		"store and Postgres share these CPUs. Repeat with `make bench`.\n",
		time.Now().UTC().Format(time.DateOnly), r.commit, runtime.Version(), runtime.NumCPU(), cpu, runtime.GOOS, runtime.GOARCH)
	return r
}

func (r *report) section(title, note string, columns ...string) {
	fmt.Fprintf(&r.text, "\n## %s\n\n%s\n\n", title, note)
	r.row(columns...)
	fmt.Fprintf(&r.text, "|%s\n", strings.Repeat("---|", len(columns)))
}

func (r *report) row(cells ...string) {
	fmt.Fprintf(&r.text, "| %s |\n", strings.Join(cells, " | "))
}

func (r *report) write(dir string) error {
	fmt.Print(r.text.String())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file := filepath.Join(dir, fmt.Sprintf("%s-%s.md", time.Now().UTC().Format(time.DateOnly), r.commit))
	return os.WriteFile(file, []byte(r.text.String()), 0o644)
}

// spread is the middle of some figures, and their range.
type spread struct{ low, middle, high float64 }

func median[T any](runs []T, figure func(T) float64) spread {
	all := make([]float64, len(runs))
	for i, run := range runs {
		all[i] = figure(run)
	}
	slices.Sort(all)
	return spread{all[0], all[len(all)/2], all[len(all)-1]}
}

func same(figure float64) float64 { return figure }

// ratio is what each run reached of the floor measured beside it.
func ratio(ours, floors []float64) string {
	shares := make([]float64, len(ours))
	for n := range ours {
		shares[n] = 100 * ours[n] / floors[n]
	}
	return median(shares, same).String("%.0f %%")
}

// String formats the figure with a verb such as "%.1f ms".
func (s spread) String(format string) string {
	number, _, _ := strings.Cut(format, " ")
	return fmt.Sprintf(format+" ("+number+"-"+number+")", s.middle, s.low, s.high)
}

func output(ctx context.Context, name string, args ...string) string {
	out, _ := exec.CommandContext(ctx, name, args...).Output() // for information alone
	return strings.TrimSpace(string(out))
}
