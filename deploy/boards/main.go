// Command boards writes Grafana's dashboards: their JSON says everything twenty times, so that what a panel asks is said
// here, once.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "boards:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("got %d arguments, want the directory to write to", len(args))
	}
	for name, b := range map[string]board{"overview": overview, "streams": streams, "projections": projections, "event-store": eventStore} {
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false) // expressions compare
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(b.grafana(name)); err != nil {
			return fmt.Errorf("write the board %s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(args[0], name+".json"), text.Bytes(), 0o644); err != nil { //nolint:gosec // everybody may read it
			return fmt.Errorf("write the board %s: %w", name, err)
		}
	}
	return nil
}

// board is what a board shows, from left to right and from the top.
type board struct {
	title, about string
	links        []string // to other boards
	panels       []panel
}

// panel is one question. It is a stat, small, or a line over time.
type panel struct {
	question, about, unit string
	stat                  bool
	limit                 limit
	lines                 []line
}

// line is an expression and what it is called.
type line struct{ expr, legend string }

// limit is where an alert's threshold is; the zero value is none.
type limit struct {
	alert string
	at    float64
	below bool // what is below is bad
}

// quantiles are the median and the 99th of a hundred of a histogram, kept apart by labels.
func quantiles(metric, by string) []line {
	named := "{{" + by + "}} "
	if by == "" {
		by, named = "le", ""
	} else {
		by += ", le"
	}
	expr := func(q string) string {
		return "histogram_quantile(" + q + ", sum by (" + by + ") (rate(" + metric + "_bucket[$__rate_interval])))"
	}
	return []line{{expr("0.5"), named + "p50"}, {expr("0.99"), named + "p99"}}
}

// mean is that of a histogram.
func mean(metric string) line {
	return line{"sum(rate(" + metric + "_sum[$__rate_interval])) / sum(rate(" + metric + "_count[$__rate_interval]))", "mean"}
}
