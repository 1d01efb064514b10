package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// aLog makes a log of n appends of so many random bytes each.
func aLog(t *testing.T, dir string, n, size int) {
	t.Helper()
	log, err := eventlog.Open(dir, eventlog.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	chance := rand.NewChaCha8([32]byte{1})
	for i := range n {
		data := make([]byte, size)
		_, _ = chance.Read(data) // it always reads
		if _, err := log.Append(t.Context(), fmt.Sprint("s-", i), eventlog.NoStream, eventlog.Event{ID: uuid.New(), Type: "t", Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestWhatTheOperatorsCommandsAnswer: 0 is done and well, 1 is not, 2 is wrong usage; and what is to be done is said.
func TestWhatTheOperatorsCommandsAnswer(t *testing.T) {
	t.Parallel()
	at := t.TempDir()
	aLog(t, filepath.Join(at, "well"), 20, 100)
	aLog(t, filepath.Join(at, "damaged"), 20, 100)
	logs, err := filepath.Glob(filepath.Join(at, "damaged", "*.log"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("%v, %v, want a write-ahead log", logs, err)
	}
	if err := os.Truncate(logs[len(logs)-1], 1500); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name, args string
		status     int
		says       string
	}{
		{"a backup to nowhere", "backup --data well", 2, "--to"},
		{"a backup of no log", "backup --data nothing --to b", 1, "there is no event log"},
		{"a backup into the log", "backup --data well --to well/b", 1, "inside the log's own directory"},
		{"a backup of a log with losses", "backup --data damaged --to b", 1, "accept the loss"},
		{"a backup", "backup --data well --to b", 0, "backed up everything up to position 20"},
		{"a backup where one is", "backup --data well --to b", 1, "not empty"},
		{"a backup of a backup", "backup --data b --to c", 1, "this is a backup"},
		{"a restore of nothing", "restore --data r", 2, "--from"},
		{"a restore of a log", "restore --from well --data r", 1, "no whole backup"},
		{"a restore over a log", "restore --from b --data well", 1, "not empty"},
		{"a restore", "restore --from b --data new/r", 0, "everything up to position 20"},
		{"verifying a log", "verify --data well", 0, "everything is as it was written"},
		{"verifying a backup", "verify --data b", 0, "checked 20 events in 20 streams up to position 20"},
		{"verifying what was restored", "verify --data new/r", 0, "everything is as it was written"},
		{"verifying a log with losses", "verify --data damaged", 1, "lost: events up to position 20 were acknowledged"},
		{"verifying nothing", "verify --data nothing", 1, "there is no event log"},
		{"stats of a log", "stats --data well", 0, "events           20"},
		{"stats of a backup", "stats --data b --quick", 0, "head             20"},
		{"stats of nothing", "stats --data nothing", 1, "there is no event log"},
	}
	for _, c := range cases { // in this order
		cmd, said := program(t, append([]string{"node"}, strings.Fields(c.args)...)...)
		cmd.Dir, cmd.Stdout = at, said
		if got := status(t, cmd.Run()); got != c.status || !strings.Contains(said.String(), c.says) {
			t.Errorf("%s: got status %d and %q, want %d and that it says %q", c.name, got, said, c.status, c.says)
		}
	}
	if _, err := os.Stat(filepath.Join(at, "nothing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory that was not there: %v, want that it still is not", err)
	}
	for args, into := range map[string]any{"verify --data well --json": &eventlog.Verification{}, "stats --data well --json": &eventlog.Stats{}} {
		cmd, said := program(t, append([]string{"node"}, strings.Fields(args)...)...)
		var out bytes.Buffer
		cmd.Dir, cmd.Stdout = at, &out
		if got := status(t, cmd.Run()); got != 0 || json.Unmarshal(out.Bytes(), into) != nil || said.Len() > 0 {
			t.Errorf("%s: got status %d, %q and %q, want JSON alone", args, got, &out, said)
		}
	}
}

// TestABackupThatIsEnded by Ctrl-C leaves nothing; by a kill it leaves what the next one clears away.
func TestABackupThatIsEnded(t *testing.T) {
	t.Parallel()
	at := t.TempDir()
	data, to := filepath.Join(at, "data"), filepath.Join(at, "backup")
	aLog(t, data, 100, 1<<20)
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
		cmd, said := program(t, "node", "backup", "--data", data, "--to", to)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		late := time.After(patience)
		look := time.NewTicker(time.Millisecond)
		defer look.Stop()
		for {
			if _, err := os.Stat(to + ".partial"); err == nil {
				break
			}
			select {
			case <-look.C:
			case <-late:
				t.Fatalf("no backup began in %s: %s", patience, said)
			}
		}
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		ended := status(t, cmd.Wait())
		_, err := os.Stat(to)
		switch {
		case ended == 0:
			t.Logf("%s came too late", signal)
			if err := os.RemoveAll(to); err != nil {
				t.Fatal(err)
			}
		case err == nil:
			t.Errorf("%s: there is a backup all the same", signal)
		case signal == syscall.SIGINT:
			if left, err := filepath.Glob(filepath.Join(at, "*")); ended != 1 || err != nil || len(left) != 1 || !strings.Contains(said.String(), "nothing is left") {
				t.Errorf("got status %d, %q and left %v, want 1 and the log alone", ended, said, left)
			}
		}
	}
	printed(t, "", "node", "backup", "--data", data, "--to", to)
	if shown := printed(t, "", "node", "verify", "--data", to); !strings.Contains(shown, "checked 100 events") {
		t.Errorf("got %q, want the whole backup", shown)
	}
	if left, err := filepath.Glob(filepath.Join(at, "*")); err != nil || len(left) != 2 {
		t.Errorf("left %v, %v, want the log and its backup", left, err)
	}
	if left, err := filepath.Glob(filepath.Join(data, "backup-*")); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v in the log", left, err)
	}
}

// TestANodeThatWasKilled leaves a socket that hinders neither the commands nor the next start.
func TestANodeThatWasKilled(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	for round := range 2 {
		cmd, said := program(t, "node", "--data", data, "--listen", "127.0.0.1:0")
		readyNode(t, cmd.StdoutPipe, cmd.Start)
		if shown := printed(t, "", "node", "stats", "--data", data); !strings.Contains(shown, "open since") {
			t.Errorf("round %d: got %q, want the running node's\n%s", round, shown, said)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		if shown := printed(t, "", "node", "verify", "--data", data); !strings.Contains(shown, "everything is as it was written") {
			t.Errorf("round %d: got %q, want that it is well", round, shown)
		}
	}
}
