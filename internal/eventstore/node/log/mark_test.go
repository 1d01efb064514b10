package eventlog_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// newestWAL is the path and content of the write-ahead log that is written now.
func newestWAL(t *testing.T, disk vfs.FS) (string, []byte) {
	t.Helper()
	names, err := disk.List("store")
	if err != nil {
		t.Fatal(err)
	}
	newest := ""
	for _, name := range names {
		if strings.HasSuffix(name, ".log") && name > newest {
			newest = name
		}
	}
	path := disk.PathJoin("store", newest)
	file, err := disk.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(file)
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	return path, content
}

func overwrite(t *testing.T, disk vfs.FS, path string, content []byte) {
	t.Helper()
	file, err := disk.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.Write(content)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		t.Fatal(err)
	}
}

// killed is a disk as the death of a process leaves it: everything written is there.
func killed(t *testing.T, disk *vfs.MemFS) *vfs.MemFS {
	t.Helper()
	return disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 0))})
}

func TestALogThatLostItsEndIsNotOpened(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	l := open(t, eventlog.Options{FS: disk})
	for range 10 {
		mustAppend(t, l, "s", eventlog.Any, event("x"))
	}
	after := killed(t, disk)
	path, content := newestWAL(t, after)
	overwrite(t, after, path, content[:len(content)/2])

	var lost *eventlog.Lost
	_, err := eventlog.Open("store", eventlog.Options{FS: after})
	if !errors.As(err, &lost) || lost.Acknowledged != 10 || lost.Head >= 10 || !errors.Is(err, eventlog.ErrCorrupt) {
		t.Fatalf("opened: %v, want Lost up to 10", err)
	}
	again, err := eventlog.Open("store", eventlog.Options{FS: after, AcceptLoss: true})
	if err != nil {
		t.Fatal(err)
	}
	if again.Head() != lost.Head {
		t.Errorf("head %d, want %d", again.Head(), lost.Head)
	}
	done := mustAppend(t, again, "s", eventlog.Any, event("new"))
	if done.Position != 11 {
		t.Errorf("the first position after the loss is %d, want 11: 1 to 10 were used", done.Position)
	}
	page, err := again.Forward(lost.Head+1, eventlog.Limit{})
	if err != nil || len(page) != 1 || page[0].Position != 11 {
		t.Errorf("after the loss the log reads %s, %v", describe(page), err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	// The loss was accepted once and for all.
	last := open(t, eventlog.Options{FS: after})
	if done := mustAppend(t, last, "s", eventlog.Any, event("newer")); done.Position != 12 {
		t.Errorf("the next position is %d, want 12", done.Position)
	}
}

func TestATornTailIsCutAndReported(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	l := open(t, eventlog.Options{FS: disk})
	for range 10 {
		mustAppend(t, l, "s", eventlog.Any, event("x"))
	}
	before := killed(t, disk)
	path, whole := newestWAL(t, before)
	mustAppend(t, l, "s", eventlog.Any, event("torn"))
	_, longer := newestWAL(t, killed(t, disk))

	// The machine died in the middle of the last write, which nobody was told of.
	overwrite(t, before, path, longer[:len(whole)+(len(longer)-len(whole))/2])
	var said bytes.Buffer
	after := open(t, eventlog.Options{FS: before, Logger: slog.New(slog.NewTextHandler(&said, nil))})
	if after.Head() != 10 {
		t.Errorf("head %d, want 10", after.Head())
	}
	if !strings.Contains(said.String(), "torn tail") {
		t.Errorf("it said %q", &said)
	}
}

func TestAnUncleanEndIsNotATornTail(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	l := open(t, eventlog.Options{FS: disk})
	for range 10 {
		mustAppend(t, l, "s", eventlog.Any, event("x"))
	}
	var said bytes.Buffer
	after := open(t, eventlog.Options{FS: killed(t, disk), Logger: slog.New(slog.NewTextHandler(&said, nil))})
	if after.Head() != 10 || said.Len() > 0 {
		t.Errorf("head %d, it said %q", after.Head(), &said)
	}
}

func TestADamagedMarkIsReported(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	l, err := eventlog.Open("store", eventlog.Options{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, "s", eventlog.Any, event("x"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	overwrite(t, disk, disk.PathJoin("store", "ACKNOWLEDGED"), []byte("nonsense"))
	if _, err := eventlog.Open("store", eventlog.Options{FS: disk}); !errors.Is(err, eventlog.ErrCorrupt) {
		t.Errorf("opened: %v, want ErrCorrupt", err)
	}
	if again := open(t, eventlog.Options{FS: disk, AcceptLoss: true}); again.Head() != 1 {
		t.Errorf("head %d, want 1", again.Head())
	}
}
