package eventlog_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// TestAWriteAheadLogThatIsMissingIsNoticed: of a log that was killed before its events went into tables, any file may be gone, be
// empty, or be another one.
func TestAWriteAheadLogThatIsMissingIsNoticed(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	l, err := eventlog.Open(dir, eventlog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	killedDir := filepath.Join(t.TempDir(), "killed")
	for n := 0; ; n++ {
		big := event("big")
		big.Data = make([]byte, 200<<10)
		mustAppend(t, l, "s", eventlog.Any, big)
		if n%8 != 0 {
			continue
		}
		if err := os.RemoveAll(killedDir); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(killedDir, os.DirFS(dir)); err != nil {
			continue // a file went away meanwhile
		}
		if logs := writeAheadLogs(t, killedDir); len(logs) >= 3 {
			break
		}
		if n > 2000 {
			t.Skip("the tables were always written faster than the logs: there are never three")
		}
	}
	logs, whole := writeAheadLogs(t, killedDir), eventsIn(t, killedDir)
	refused := 0
	for _, name := range logs[:len(logs)-1] {
		for what, damage := range map[string]func(string) error{
			"gone":  os.Remove,
			"empty": func(path string) error { return os.Truncate(path, 0) },
			"cut": func(path string) error {
				info, err := os.Stat(path)
				if err != nil {
					return err
				}
				return os.Truncate(path, info.Size()/2)
			},
		} {
			copied := filepath.Join(t.TempDir(), "copy")
			if err := os.CopyFS(copied, os.DirFS(killedDir)); err != nil {
				t.Fatal(err)
			}
			if err := damage(filepath.Join(copied, name)); err != nil {
				t.Fatal(err)
			}
			other, err := eventlog.Open(copied, eventlog.Options{})
			if err != nil {
				refused++
				if !errors.Is(err, eventlog.ErrCorrupt) {
					t.Errorf("%s is %s: %v, want ErrCorrupt", name, what, err)
				}
				continue
			}
			if got := count(t, other); got != whole { // what it held may be in a table by now
				t.Errorf("%s of %v is %s, and the log opens with %d events of %d", name, logs, what, got, whole)
			}
			_ = other.Close()
		}
	}
	if refused == 0 {
		t.Error("nothing was missed at all")
	}
}

// eventsIn counts the events of a directory, without changing it.
func eventsIn(t *testing.T, dir string) int {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "whole")
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	l, err := eventlog.Open(copied, eventlog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return count(t, l)
}

func writeAheadLogs(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), ".log") {
			names = append(names, entry.Name())
		}
	}
	slices.Sort(names)
	return names
}
