package house

import (
	"go/ast"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
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
