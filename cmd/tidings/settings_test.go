package main

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tidings-io/tidings/internal/process"
)

var update = flag.Bool("update", false, "write docs/settings.md again")

// TestSettingsAreWrittenDown, all of them, as the programs have them.
func TestSettingsAreWrittenDown(t *testing.T) {
	t.Parallel()
	file := filepath.Join("..", "..", "docs", "settings.md")
	want, err := process.SettingsPage(&cli{})
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("docs/settings.md does not say what the flags say: make gen writes it again")
	}
}

// TestNumbersHaveUnits: whoever reads the list learns what a number counts.
func TestNumbersHaveUnits(t *testing.T) {
	t.Parallel()
	page, err := process.SettingsPage(&cli{})
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(page, "\n") {
		if strings.Contains(line, " number |") {
			t.Errorf("add unit:\"…\" to the flag's tag: %s", line)
		}
	}
}

// TestEveryVariableIsWrittenDown that the programs' sources speak of.
func TestEveryVariableIsWrittenDown(t *testing.T) {
	t.Parallel()
	page, err := process.SettingsPage(&cli{})
	if err != nil {
		t.Fatal(err)
	}
	quoted := regexp.MustCompile(`"(TIDINGS_[A-Z_]+[A-Z])"`)
	for _, dir := range []string{".", "../api", "../projector", "../../internal/process", "../../internal/postgres"} {
		files, err := filepath.Glob(filepath.Join(filepath.FromSlash(dir), "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range quoted.FindAllStringSubmatch(string(text), -1) {
				variable := match[1]
				if !strings.HasPrefix(variable, "TIDINGS_TEST_") && !strings.Contains(page, "`"+variable+"`") {
					t.Errorf("%s: %s is not in docs/settings.md", name, variable)
				}
			}
		}
	}
}
