package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var quiet = slog.New(slog.DiscardHandler)

// TestAudit runs the shell blocks of the auditor's page one after the other against the real program, whose log is that of May 2026, and
// compares what they print with the page.
func TestAudit(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the whole program")
	}
	t.Parallel()
	text, err := os.ReadFile("../../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeMay(t, filepath.Join(dir, "data", "eventstore"))
	drill(t, dir, strings.NewReplacer(), shellBlock{script: "tidings token --new-key jwt.secret --sub nobody > nobody.token"})
	log, err := os.Create(filepath.Join(dir, "tidings.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	url := dev(t, log, filepath.Join(dir, "data"), "--jwt-key", filepath.Join(dir, "jwt.secret"), "--inbox-keep-age", "720h", "--log-format", "text")
	awaitCleaning(t, url)
	here := strings.NewReplacer("http://127.0.0.1:8080", url)
	blocks := shellBlocks(string(text))
	for _, b := range blocks {
		if b.output == "" {
			t.Errorf("the page does not say what this prints:\n%s", b.script)
		}
		drill(t, dir, here, b)
	}
	if len(blocks) < 10 {
		t.Errorf("the page has %d shell blocks, want at least 10", len(blocks))
	}
}

// cleaned is how many rows retention has deleted.
var cleaned = regexp.MustCompile(`(?m)^tidings_projection_cleaned_rows_total\S* [1-9]`)

// awaitCleaning waits until the tables no longer hold what retention hides, so that the page's answers about the past come from the log.
func awaitCleaning(t *testing.T, url string) {
	t.Helper()
	late := time.After(patience)
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for !cleaned.MatchString(get(t, url+"/metrics")) {
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("retention deleted nothing in %s", patience)
		}
	}
}
