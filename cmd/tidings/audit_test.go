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
	data, keep := filepath.Join(dir, "data"), "--inbox-keep-age=720h"
	const last = 16 // of the acts: it comes when the tables hold all others, and has what is hidden deleted at once
	writeMay(t, filepath.Join(data, "eventstore"), 0, last)
	t.Run("the tables are made", func(t *testing.T) {
		get(t, dev(t, t.Output(), data, keep, "--inbox-keep-history=1000000h")+"/v1/users/carol/inbox?wait_for=16")
	})
	writeMay(t, filepath.Join(data, "eventstore"), last, len(may))
	drill(t, dir, strings.NewReplacer(), shellBlock{script: "tidings token --new-key jwt.secret --sub nobody > nobody.token"})
	log, err := os.Create(filepath.Join(dir, "tidings.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		said, _ := os.ReadFile(log.Name()) // if it cannot be read it says nothing
		if t.Failed() {
			t.Logf("the program said: %s", said)
		}
		_ = log.Close()
	})
	url := dev(t, log, data, keep, "--jwt-key", filepath.Join(dir, "jwt.secret"), "--log-format=text")
	// The tables no longer hold what retention hides, so that the page's answers about the past come from the log.
	await(t, "rows that retention deleted", func() bool { return cleaned.MatchString(get(t, url+"/metrics")) })
	here := strings.NewReplacer("http://127.0.0.1:8080", url)
	blocks := shellBlocks(string(text))
	for _, b := range blocks {
		if b.output == "" {
			t.Errorf("the page does not say what this prints:\n%s", b.script)
		}
		if strings.Contains(b.script, "tidings.log") {
			await(t, "the end of the second export in the log", func() bool { // it is recorded after its last line was sent
				said, err := os.ReadFile(log.Name())
				return err == nil && strings.Count(string(said), "kind=export") == 2
			})
		}
		drill(t, dir, here, b)
	}
	if len(blocks) < 10 {
		t.Errorf("the page has %d shell blocks, want at least 10", len(blocks))
	}
}

// cleaned is how many rows retention has deleted.
var cleaned = regexp.MustCompile(`(?m)^tidings_projection_cleaned_rows_total\S* [1-9]`)

// await looks again and again whether something has come about.
func await(t *testing.T, what string, here func() bool) {
	t.Helper()
	late := time.After(patience)
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for !here() {
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("no %s in %s", what, patience)
		}
	}
}
