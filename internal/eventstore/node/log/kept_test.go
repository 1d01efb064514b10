package eventlog_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// keepDirectory has a directory of the format of today written into testdata. It is done once for a format, and never again for an old one.
var keepDirectory = flag.Bool("keep-directory", false, "write testdata/format-1 anew")

const (
	keptDirectory = "testdata/format-1/store"
	keptText      = "testdata/format-1/events.txt"
)

// TestADirectoryKeptFromBeforeIsRead: what was written with this format once is read for ever, as it was.
func TestADirectoryKeptFromBeforeIsRead(t *testing.T) {
	t.Parallel()
	if *keepDirectory {
		keepToday(t)
	}
	dir := filepath.Join(t.TempDir(), "store")
	if err := os.CopyFS(dir, os.DirFS(keptDirectory)); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(keptText)
	if err != nil {
		t.Fatal(err)
	}
	// Once as a crash left it, then as this program did.
	for _, last := range []eventlog.Position{0, 1} {
		found, err := eventlog.VerifyDirectory(t.Context(), dir, eventlog.VerifyOptions{})
		if err != nil || !found.Whole() {
			t.Errorf("verified: %v, %v", found, err)
		} else if torn := found.Torn != nil; torn != (last == 0) {
			t.Errorf("torn tail: %v, want one the first time", found.Torn)
		}
		l, err := eventlog.Open(dir, eventlog.Options{})
		if err != nil {
			t.Fatal(err)
		}
		all, err := everything(l)
		if err != nil {
			t.Fatal(err)
		}
		kept := all[:len(all)-int(last)]
		if diff := cmp.Diff(string(want), text(t, l, kept)); diff != "" {
			t.Error(diff)
		}
		if last == 0 {
			done := mustAppend(t, l, "later", eventlog.NoStream, event("x"))
			if done.Position != kept[len(kept)-1].Position+1 {
				t.Errorf("the next position is %d", done.Position)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// text is all that can be read of a log, and how each of its streams is.
func text(t *testing.T, l *eventlog.Log, records []*eventlog.Record) string {
	t.Helper()
	var b strings.Builder
	streams := map[string]bool{}
	for _, r := range records {
		fmt.Fprintf(&b, "%d %q@%d %s %s json=%t data=%q metadata=%q %s\n", r.Position, r.Stream, r.Revision, r.ID, r.Type, r.JSON, r.Data, r.Metadata,
			r.Created.Time().Format(time.RFC3339Nano))
		if streams[r.Stream] {
			continue
		}
		streams[r.Stream] = true
		s, err := l.Stream(r.Stream)
		if err != nil {
			fmt.Fprintf(&b, "  %v\n", err)
			continue
		}
		page, err := s.Forward(0, eventlog.Limit{})
		if err != nil {
			t.Error(err)
		}
		fmt.Fprintf(&b, "  found=%t first=%d last=%d visible=%d\n", s.Found, s.First, s.Last, len(page))
	}
	return b.String()
}

func keepToday(t *testing.T) {
	t.Helper()
	moment := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time {
		moment = moment.Add(time.Second)
		return moment
	}
	n := byte(0)
	next := func(kind, data string) eventlog.Event {
		n++
		return eventlog.Event{ID: uuid.UUID{15: n}, Type: kind, JSON: kind != "binary", Data: []byte(data), Metadata: []byte(`{"n":"` + kind + `"}`)}
	}
	metadata := func(data string) eventlog.Event { return next(eventlog.TypeMetadata, data) }
	dir := filepath.Join(t.TempDir(), "store")
	open := func() *eventlog.Log {
		l, err := eventlog.Open(dir, eventlog.Options{Now: clock})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	l := open()
	mustAppend(t, l, "a", eventlog.NoStream, next("first", `{}`), next("second", `{"k":[1,2,3]}`), next("binary", "\x00\xff"))
	mustAppend(t, l, "odd \x00/é@$\n", eventlog.NoStream, next("x", ``))
	mustAppend(t, l, "counted", eventlog.NoStream, next("x", `1`), next("x", `2`), next("x", `3`))
	mustAppend(t, l, "$$counted", eventlog.NoStream, metadata(`{"$maxCount":2,"other":true}`))
	mustAppend(t, l, "gone", eventlog.NoStream, next("x", `1`), next("x", `2`))
	must(t)(l.Delete(t.Context(), "gone", eventlog.Any))
	mustAppend(t, l, "again", eventlog.NoStream, next("x", `1`), next("x", `2`))
	must(t)(l.Delete(t.Context(), "again", eventlog.Any))
	mustAppend(t, l, "again", eventlog.NoStream, next("x", `3`))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open() // what was written so far goes into a table
	mustAppend(t, l, "ended", eventlog.NoStream, next("x", `1`))
	must(t)(l.Tombstone(t.Context(), "ended", eventlog.Any))
	mustAppend(t, l, "links", eventlog.NoStream, next(eventlog.TypeLink, `1@a`))
	mustAppend(t, l, strings.Repeat("long", 300), eventlog.Any, next("x", strings.Repeat("y", 3000)))

	if err := os.RemoveAll(filepath.Dir(keptDirectory)); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(keptDirectory, os.DirFS(dir)); err != nil { // as a kill leaves it
		t.Fatal(err)
	}
	all, err := everything(l)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keptText, []byte(text(t, l, all)), 0o600); err != nil {
		t.Fatal(err)
	}
	tear(t, l, dir)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T) func(eventlog.Position, error) {
	t.Helper()
	return func(_ eventlog.Position, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
}

// tear gives the kept directory half of one more append at its end.
func tear(t *testing.T, l *eventlog.Log, dir string) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(logs) == 0 {
		t.Fatal(logs, err)
	}
	newest := logs[len(logs)-1]
	before, err := os.ReadFile(newest)
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, "torn", eventlog.NoStream, event("torn"))
	after, err := os.ReadFile(newest)
	if err != nil {
		t.Fatal(err)
	}
	half := after[:(len(before)+len(after))/2]
	if err := os.WriteFile(filepath.Join(keptDirectory, filepath.Base(newest)), half, 0o600); err != nil {
		t.Fatal(err)
	}
}
