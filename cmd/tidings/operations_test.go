package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/esdb"
)

// TestOperations runs the shell blocks of the operations page one after the other, in a directory of their own and with writers at work, and
// compares what they print with the page, as TestReadme does. Between them it checks what the page promises of the events. It is
// make drill.
func TestOperations(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills a node several times")
	}
	t.Parallel()
	text, err := os.ReadFile("../../docs/operations/node.md")
	if err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	dir := t.TempDir()
	t.Cleanup(func() { killNode(t, dir) })
	writers := &drillWriters{acknowledged: map[uuid.UUID]events.Position{}}
	writers.start(t, "esdb://"+address+"?tls=false")

	var before map[uuid.UUID]events.Position // the backup
	var lossy map[uuid.UUID]events.Position  // the end was cut off
	checks := map[string]struct{ before, after func() }{
		"tidings node backup": {before: func() {
			writers.waitFor(t, 200)
			before = writers.known()
		}},
		"tidings node stats":   {before: func() { writers.waitFor(t, 100) }},
		"mv eventstore":        {before: func() { writers.waitFor(t, 300) }},
		"tidings node restore": {after: func() { writers.forget() }}, // what came after the backup
		"truncate": {
			before: func() {
				writers.waitFor(t, 200)
				writers.checkAll(t, before, "were in the backup and are not in the restored log")
				writers.checkAll(t, writers.known(), "were acknowledged after the restore and are missing")
			},
			after: func() { lossy = writers.known() },
		},
		"--accept-loss": {after: func() {
			highest := events.Position(0)
			for _, p := range lossy {
				highest = max(highest, p)
			}
			writers.forget()
			writers.waitFor(t, 100)
			for id, p := range writers.known() {
				if p <= highest {
					t.Errorf("event %s got position %d, though %d had been used", id, p, highest)
				}
			}
			writers.checkAll(t, before, "were in the backup and are missing")
			if missing := writers.missing(t, lossy); missing == 0 || missing > 100 {
				t.Errorf("%d of %d events were lost with the last 10,000 bytes", missing, len(lossy))
			}
		}},
	}
	here := strings.NewReplacer("127.0.0.1:2113", address)
	blocks := shellBlocks(string(text))
	for _, b := range blocks {
		for what, check := range checks {
			if check.before != nil && strings.Contains(b.script, what) {
				check.before()
			}
		}
		drill(t, dir, here, b)
		for what, check := range checks {
			if check.after != nil && strings.Contains(b.script, what) {
				check.after()
			}
		}
	}
	if len(blocks) < 8 || before == nil || lossy == nil {
		t.Errorf("the page has %d shell blocks, and not those that this test knows", len(blocks))
	}
}

// drill runs one block of a page in a directory, with the addresses of the page replaced by those of the test, and compares what it prints
// with the page.
func drill(t *testing.T, dir string, here *strings.Replacer, b shellBlock) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	bin := filepath.Join(dir, ".bin")
	wrapper := fmt.Sprintf("#!/bin/sh\n%s=1 exec '%s' \"$@\"\n", asProgram, os.Args[0])
	if err := errors.Join(os.MkdirAll(bin, 0o700), os.WriteFile(filepath.Join(bin, "tidings"), []byte(wrapper), 0o700)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "bash", "-ec", here.Replace(b.script))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // a node that serves where it should not
	out, err := cmd.CombinedOutput()
	if err != nil {
		said, _ := os.ReadFile(filepath.Join(dir, "node.log")) // if there is none it says nothing
		t.Fatalf("%s\n%v: %s\nthe node said: %s", b.script, err, out, said)
	}
	if b.output != "" && !like(b.output, string(out)) {
		t.Errorf("%s\nprinted:\n%s\nthe page says:\n%s", b.script, out, b.output)
	}
	t.Logf("%s%s", b.script, out)
}

// killNode kills what the last block that started a node left running.
func killNode(t *testing.T, dir string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "node.pid"))
	if err != nil {
		return // none was started
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Error(err)
		return
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Error(err)
	}
}

// drillWriters append until the test ends, whether the node is there or not, and remember what was acknowledged.
type drillWriters struct {
	store *esdb.Store

	mu           sync.Mutex
	acknowledged map[uuid.UUID]events.Position
	more         chan struct{} // closed, and made anew, with each
}

func (w *drillWriters) start(t *testing.T, url string) {
	t.Helper()
	store, err := esdb.Open(url, esdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.store, w.more = store, make(chan struct{})
	ctx, stop := context.WithCancel(context.Background())
	var writing sync.WaitGroup
	for range 4 {
		writing.Go(func() {
			pace := time.NewTicker(2 * time.Millisecond) // they are not to fill the machine
			defer pace.Stop()
			for ctx.Err() == nil {
				w.write(ctx)
				<-pace.C
			}
		})
	}
	t.Cleanup(func() {
		stop()
		writing.Wait()
		store.Close()
	})
}

func (w *drillWriters) write(ctx context.Context) {
	id := uuid.New()
	event := events.Proposed{ID: id, Type: "Drilled", Data: json.RawMessage(`{}`), Metadata: json.RawMessage(`{}`)}
	appended, err := w.store.Append(ctx, events.StreamName("drill-"+id.String()), events.NoStream(), event)
	if err != nil {
		return // the node is away
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acknowledged[id] = appended.Position
	close(w.more)
	w.more = make(chan struct{})
}

func (w *drillWriters) known() map[uuid.UUID]events.Position {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.acknowledged)
}

func (w *drillWriters) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.acknowledged)
}

// waitFor so many more acknowledged events.
func (w *drillWriters) waitFor(t *testing.T, n int) {
	t.Helper()
	late := time.After(patience)
	for want := len(w.known()) + n; ; {
		w.mu.Lock()
		have, more := len(w.acknowledged), w.more
		w.mu.Unlock()
		if have >= want {
			return
		}
		select {
		case <-more:
		case <-late:
			t.Fatalf("%d events were acknowledged in %s, want %d", have, patience, want)
		}
	}
}

func (w *drillWriters) checkAll(t *testing.T, want map[uuid.UUID]events.Position, what string) {
	t.Helper()
	if missing := w.missing(t, want); missing > 0 {
		t.Errorf("%d of %d events %s", missing, len(want), what)
	}
}

// missing counts those that are not in the log at their positions.
func (w *drillWriters) missing(t *testing.T, want map[uuid.UUID]events.Position) int {
	t.Helper()
	left := make(map[uuid.UUID]events.Position, len(want))
	highest := events.Position(0)
	for id, p := range want {
		left[id], highest = p, max(highest, p)
	}
	for e, err := range w.store.ReadAll(t.Context(), 0, events.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if left[e.ID] == e.Position {
			delete(left, e.ID)
		}
		if e.Position >= highest {
			break
		}
	}
	return len(left)
}
