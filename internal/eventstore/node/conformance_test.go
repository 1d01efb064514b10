package node_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTheConformanceTableNamesTestsThatExist, and at least one in each row of a rule.
func TestTheConformanceTableNamesTestsThatExist(t *testing.T) {
	t.Parallel()
	const document = "../../../docs/eventstore-conformance.md"
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	folders := map[string]string{"": ".", "log": "log", "esdb": "../esdb", "storetest": "../storetest"}
	sources := map[string]string{}
	for name, folder := range folders {
		sources[name] = sourceOf(t, folder)
	}
	named := regexp.MustCompile("`(?:(\\w+)\\.)?((?:Test|Fuzz|test)[A-Z]\\w*)`")
	for _, match := range named.FindAllStringSubmatch(string(text), -1) {
		if source, known := sources[match[1]]; !known || !strings.Contains(source, "\nfunc "+match[2]+"(") {
			t.Errorf("%s: there is no %s", document, match[0])
		}
	}
	rules, _, _ := strings.Cut(string(text), "## What differs")
	for line := range strings.Lines(rules) {
		if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| rule |") && !named.MatchString(line) {
			t.Errorf("%s: no test for %s", document, line)
		}
	}
}

// sourceOf is all Go source of a folder.
func sourceOf(t *testing.T, folder string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(source)
	}
	return all.String()
}
