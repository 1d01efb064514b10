package house

import (
	"go/ast"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A metric is written tidings_… everywhere: in code as one literal, so that it can be searched for.
var (
	metricName = regexp.MustCompile(`\btidings_[a-z0-9_]+`)
	// metricLike tells a metric from other names with our prefix, in prose.
	metricLike = regexp.MustCompile(`_(total|seconds|bytes|events|halted|position|connections|subscriptions|connected|active|info|max|frames|streams|paused|version|ratio|users|keys|buckets|instances|appends)(_bucket|_sum|_count)?$`)
	histogram  = regexp.MustCompile(`_(bucket|sum|count)$`)
)

func TestDocsAndBoardsNameMetricsThatExist(t *testing.T) {
	t.Parallel()
	declared := declaredMetrics(t)
	for file, named := range namedMetrics(t) {
		for _, name := range named {
			if !declared[name] && !declared[histogram.ReplaceAllString(name, "")] {
				t.Errorf("%s names the metric %s, which no code declares", file, name)
			}
		}
	}
}

func TestDocsNameEveryMetric(t *testing.T) {
	t.Parallel()
	const list = root + "/docs/metrics.md"
	documented := map[string]bool{}
	for _, name := range metricName.FindAllString(read(t, list), -1) {
		documented[name] = true
	}
	for name := range declaredMetrics(t) {
		if !documented[name] {
			t.Errorf("docs/metrics.md does not explain %s", name)
		}
	}
}

// units are words of which a row's unit has one where a metric's name ends so.
var units = map[string][]string{
	"_seconds": {"seconds"}, "_seconds_total": {"seconds"}, "_bytes": {"bytes"}, "_events": {"events", "positions"},
	"_ratio": {"0 to 1"}, "_position": {"position"}, "_version": {"version"}, "_info": {"1, by"},
	"_connected": {"1 or 0"}, "_halted": {"1 or 0"}, "_active": {"1 or 0"}, "_paused": {"1 or 0"},
}

// TestEveryMetricHasAUnitAndAQuestion: a row is a name, a unit, and what one asks the metric.
func TestEveryMetricHasAUnitAndAQuestion(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for line := range strings.Lines(read(t, root+"/docs/metrics.md")) {
		name := metricName.FindString(line)
		if name == "" || !strings.HasPrefix(line, "| `"+name+"` |") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) != 3 {
			t.Errorf("%s: got %d columns, want a name, a unit and a question", name, len(cells))
			continue
		}
		if seen[name] {
			t.Errorf("%s has two rows", name)
		}
		seen[name] = true
		if strings.TrimSpace(cells[1]) == "" || !strings.Contains(cells[2], "?") {
			t.Errorf("%s: got the unit %q and the question %q", name, cells[1], cells[2])
		}
		for suffix, words := range units {
			if strings.HasSuffix(name, suffix) && !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(cells[1], w) }) {
				t.Errorf("%s: got the unit %q, want %v in it", name, cells[1], words)
			}
		}
	}
	if len(seen) == 0 {
		t.Fatal("docs/metrics.md has no rows")
	}
}

// declaredMetrics are the literals in the code that are a metric's name and nothing else.
func declaredMetrics(t *testing.T) map[string]bool {
	t.Helper()
	declared := map[string]bool{}
	for _, s := range sources(t) {
		if s.test() {
			continue
		}
		ast.Inspect(s.file, func(node ast.Node) bool {
			literal, ok := node.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(literal.Value)
			if err == nil && metricName.FindString(text) == text && metricLike.MatchString(text) {
				declared[text] = true
			}
			return true
		})
	}
	if len(declared) == 0 {
		t.Fatal("no code declares any metric")
	}
	return declared
}

// namedMetrics are the metrics that documents, boards and rules speak of, by file.
func namedMetrics(t *testing.T) map[string][]string {
	t.Helper()
	named := map[string][]string{}
	walk(t, ".md", func(name string) {
		for _, found := range metricName.FindAllString(read(t, name), -1) {
			if metricLike.MatchString(found) {
				named[name] = append(named[name], found)
			}
		}
	})
	err := filepath.WalkDir(root+"/deploy", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(name, ".go") || strings.HasSuffix(name, ".md") {
			return err
		}
		named[name] = metricName.FindAllString(read(t, name), -1)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return named
}
