package eventlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/google/uuid"
)

func opened(t *testing.T, dir string, o Options) *Log {
	t.Helper()
	l, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func backedUp(t *testing.T, l *Log, dest string, o BackupOptions) *Manifest {
	t.Helper()
	m, err := l.Backup(t.Context(), dest, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func restored(t *testing.T, disk vfs.FS, from, dir string) *Restored {
	t.Helper()
	r, err := Restore(t.Context(), from, dir, RestoreOptions{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// records are all of a log, each as one line.
func records(t *testing.T, l *Log) []string {
	t.Helper()
	var all []string
	for next := Position(1); ; {
		page, err := l.Forward(next, Limit{Events: 1000, Bytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return all
		}
		for _, r := range page {
			all = append(all, fmt.Sprintf("%d %q@%d %s %s %d %x", r.Position, r.Stream, r.Revision, r.ID, r.Type, r.Created, r.Data))
		}
		next = page[len(page)-1].Position + 1
	}
}

func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]BackupOptions{"copied": {}, "linked": {Link: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := t.TempDir()
			data, backup, again := filepath.Join(at, "data"), filepath.Join(at, "backup"), filepath.Join(at, "again")
			l := opened(t, data, Options{})
			fill(t, l)
			if err := l.db.Flush(); err != nil { // a part is in tables, a part is not
				t.Fatal(err)
			}
			if _, err := l.Append(t.Context(), "y", NoStream, Event{ID: uuid.New(), Type: "t"}); err != nil {
				t.Fatal(err)
			}
			want := records(t, l)
			m := backedUp(t, l, backup, o)
			if m.Head != 19 || len(m.Files) == 0 || m.Bytes() == 0 || time.Since(m.Created) > time.Minute {
				t.Errorf("the manifest says %+v, want head 19 and files", m)
			}
			if _, err := l.Append(t.Context(), "y", 0, Event{ID: uuid.New(), Type: "late"}); err != nil {
				t.Fatal(err)
			}
			before := listing(t, vfs.Default, backup)
			v, err := VerifyDirectory(t.Context(), backup, VerifyOptions{})
			if err != nil || !v.Whole() || v.Events != 19 || v.Backup == nil || v.Unmarked || v.Acknowledged != 19 || v.Torn != nil {
				t.Errorf("the backup is %+v, %v, want 19 events and no fault", v, err)
			}
			if got := listing(t, vfs.Default, backup); got != before {
				t.Errorf("verifying changed the backup from\n%s\nto\n%s", before, got)
			}
			if _, err := Open(backup, Options{}); !errors.Is(err, ErrBackup) {
				t.Errorf("a backup opened as a log: %v, want a refusal", err)
			}
			sharing := shared(t, data, backup)
			if sharing != o.Link {
				t.Errorf("the backup shares files with the log: %v, want %v", sharing, o.Link)
			}

			r := restored(t, vfs.Default, backup, again)
			if shared(t, backup, again) {
				t.Error("the restored log shares files with the backup")
			}
			after := opened(t, again, Options{})
			if got := records(t, after); !slices.Equal(got, want) {
				t.Errorf("the restored log has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			done, err := after.Append(t.Context(), "new", NoStream, Event{ID: uuid.New(), Type: "t"})
			if err != nil || done.Position != r.Above+1 || r.Above <= 20 {
				t.Errorf("the next event is at %d, %v, want %d, which must be above 20", done.Position, err, r.Above+1)
			}
			if v, err := after.Verify(t.Context(), nil); err != nil || !v.Whole() || v.Gaps != 1 || v.Events != 20 {
				t.Errorf("the restored log is %v, %v, want one gap and no fault: %s", v, err, faults(v))
			}
			if got := listing(t, vfs.Default, backup); got != before {
				t.Errorf("restoring changed the backup from\n%s\nto\n%s", before, got)
			}
		})
	}
}

// shared tells whether two directories have a table in common.
func shared(t *testing.T, a, b string) bool {
	t.Helper()
	tables, err := filepath.Glob(filepath.Join(a, "*"+tableSuffix))
	if err != nil || len(tables) == 0 {
		t.Fatalf("%s has no tables, %v", a, err)
	}
	for _, table := range tables {
		one, err := os.Stat(table)
		if err != nil {
			continue // merged with others
		}
		if other, err := os.Stat(filepath.Join(b, filepath.Base(table))); err == nil && os.SameFile(one, other) {
			return true
		}
	}
	return false
}

// TestABackupUnderLoad: it has all that was acknowledged before it began, and is a prefix of the log that ends between two appends.
func TestABackupUnderLoad(t *testing.T) {
	t.Parallel()
	at := t.TempDir()
	l := opened(t, filepath.Join(at, "data"), Options{})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				events := make([]Event, 1+n%3)
				for i := range events {
					events[i] = Event{ID: uuid.New(), Type: fmt.Sprint(len(events)), Data: bytes.Repeat([]byte{byte(w)}, 300)}
				}
				if _, err := l.Append(context.Background(), fmt.Sprint("s", w, "-", n%100), Any, events...); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	var backups []*Manifest
	if v, err := l.Verify(t.Context(), nil); err != nil || !v.Whole() {
		t.Errorf("verifying under load: %v: %s", err, faults(v))
	}
	for i := range 3 {
		for head := l.Head(); l.Head() < head+300; { // it is under load
			_, moved := l.Moved()
			<-moved
		}
		acknowledged := l.Head()
		m := backedUp(t, l, filepath.Join(at, fmt.Sprint("backup-", i)), BackupOptions{})
		if m.Head < acknowledged {
			t.Errorf("backup %d ends at %d, but %d was acknowledged before it began", i, m.Head, acknowledged)
		}
		backups = append(backups, m)
	}
	stop()
	writers.Wait()
	want := records(t, l)
	for i, m := range backups {
		restored(t, vfs.Default, filepath.Join(at, fmt.Sprint("backup-", i)), filepath.Join(at, fmt.Sprint("again-", i)))
		after := opened(t, filepath.Join(at, fmt.Sprint("again-", i)), Options{})
		got := records(t, after)
		if len(got) != int(m.Head) || !slices.Equal(got, want[:len(got)]) {
			t.Errorf("backup %d has %d events up to %d, which are not the log's first", i, len(got), m.Head)
		}
		// An event's type says how many its append had; appends are adjacent.
		for next := Position(1); next <= m.Head; {
			page, err := after.Forward(next, Limit{Events: 1})
			if err != nil {
				t.Fatal(err)
			}
			next += Position(page[0].Type[0] - '0')
			if next > m.Head+1 {
				t.Errorf("backup %d ends within an append", i)
			}
		}
		if v, err := after.Verify(t.Context(), nil); err != nil || !v.Whole() {
			t.Errorf("backup %d: %v: %s", i, err, faults(v))
		}
	}
	left, err := filepath.Glob(filepath.Join(at, "data", stagePrefix+"*"))
	if err != nil || len(left) > 0 {
		t.Errorf("in the log's directory were left %v, %v", left, err)
	}
}

func TestWhereABackupMayNotGo(t *testing.T) {
	t.Parallel()
	at := t.TempDir()
	data := filepath.Join(at, "data")
	l := opened(t, data, Options{})
	fill(t, l)
	touch := func(parts ...string) string {
		path := filepath.Join(append([]string{at}, parts...)...)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("x"), 0o600)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	touch("full", "file")
	touch("taken.partial", "file")
	if err := errors.Join(os.Symlink(data, filepath.Join(at, "link")), os.Mkdir(filepath.Join(at, "empty"), 0o700)); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		dest string
		want error
	}{
		"the log's own directory":             {data, ErrInvalid},
		"inside the log's own directory":      {filepath.Join(data, "backup"), ErrInvalid},
		"inside it by a link":                 {filepath.Join(at, "link", "backup"), ErrInvalid},
		"no directory":                        {"", ErrInvalid},
		"a directory with something in it":    {filepath.Join(at, "full"), ErrOccupied},
		"a file":                              {touch("file"), ErrOccupied},
		"where something else is in the way":  {filepath.Join(at, "taken"), ErrOccupied},
		"a directory whose parent is missing": {filepath.Join(at, "not", "there"), fs.ErrNotExist},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			before := tree(t, at)
			if _, err := l.Backup(t.Context(), c.dest, BackupOptions{}); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if after := tree(t, at); after != before {
				t.Errorf("it changed\n%s\nto\n%s", before, after)
			}
		})
	}
	backedUp(t, l, filepath.Join(at, "empty"), BackupOptions{})
	if v, err := VerifyDirectory(t.Context(), filepath.Join(at, "empty"), VerifyOptions{}); err != nil || !v.Whole() {
		t.Errorf("into an empty directory: %v, %v", v, err)
	}
}

// tree is every path below a directory.
func tree(t *testing.T, at string) string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(at, func(path string, _ fs.DirEntry, err error) error {
		all = append(all, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, "\n")
}

// TestAnInterruptedBackup is killed at operations on files, one after the other (and was, in writing this, at each): what it leaves is never taken for a
// backup, is cleared away, and hinders neither the log nor the next backup.
func TestAnInterruptedBackup(t *testing.T) {
	t.Parallel()
	every := 11 // no multiple of 3: see crash
	if testing.Short() {
		every = 37
	}
	for dies := 0; ; dies += every {
		disk := vfs.NewCrashableMem()
		var operations atomic.Int64
		var frozen atomic.Pointer[vfs.MemFS]
		die := func() {
			if operations.Add(1) == int64(dies)+1 {
				frozen.Store(disk.CrashClone(crash(dies)))
			}
		}
		l, err := Open("data", Options{FS: errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if strings.Contains(op.Path, "backup") {
				die()
			}
			return nil
		}))})
		if err != nil {
			t.Fatal(err)
		}
		fill(t, l)
		if _, err := l.Backup(t.Context(), "backup", BackupOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		after := frozen.Load()
		if after == nil {
			if dies < 50 {
				t.Fatalf("a backup has %d operations, which cannot be all", dies)
			}
			return
		}
		checkInterruptedBackup(t, after, dies)
	}
}

// crash is the death of the process, of the machine, or of one that had written a half.
func crash(n int) vfs.CrashCloneCfg {
	return vfs.CrashCloneCfg{UnsyncedDataPercent: []int{100, 0, 50}[n%3], RNG: rand.New(rand.NewPCG(1, uint64(n)))}
}

func checkInterruptedBackup(t *testing.T, disk vfs.FS, dies int) {
	t.Helper()
	_, statErr := disk.Stat("backup")
	whole := statErr == nil
	if whole {
		if v := verified(t, disk, "backup"); !v.Whole() || v.Events != 18 {
			t.Fatalf("killed at operation %d: there is a backup, which is not whole: %s", dies, faults(v))
		}
	} else if _, err := Restore(t.Context(), "backup.partial", "again", RestoreOptions{FS: disk}); err == nil {
		if v := verified(t, disk, "again"); !v.Whole() || v.Events != 18 {
			t.Fatalf("killed at operation %d: what is not whole was restored: %s", dies, faults(v))
		}
	}
	l, err := Open("data", Options{FS: disk})
	if err != nil {
		t.Fatalf("killed at operation %d: open: %v", dies, err)
	}
	defer func() { _ = l.Close() }()
	if !whole {
		if _, err := l.Backup(t.Context(), "backup", BackupOptions{}); err != nil {
			t.Fatalf("killed at operation %d: the next backup: %v", dies, err)
		}
		if v := verified(t, disk, "backup"); !v.Whole() || v.Events != 18 {
			t.Fatalf("killed at operation %d: the next backup: %s", dies, faults(v))
		}
	}
	if _, err := disk.Stat("backup.partial"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("killed at operation %d: backup.partial is left: %v", dies, err)
	}
	names, err := disk.List("data")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasPrefix(name, stagePrefix) {
			t.Fatalf("killed at operation %d: %s is left in the log", dies, name)
		}
	}
}

// TestAnInterruptedRestore is the same for restoring.
func TestAnInterruptedRestore(t *testing.T) {
	t.Parallel()
	every := 11 // no multiple of 3: see crash
	if testing.Short() {
		every = 37
	}
	for dies := 0; ; dies += every {
		disk := vfs.NewCrashableMem()
		l, err := Open("data", Options{FS: disk})
		if err != nil {
			t.Fatal(err)
		}
		fill(t, l)
		backedUp(t, l, "backup", BackupOptions{})
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		var operations atomic.Int64
		var frozen *vfs.MemFS
		var once sync.Mutex
		_, err = Restore(t.Context(), "backup", "again", RestoreOptions{FS: errorfs.Wrap(disk, errorfs.InjectorFunc(func(errorfs.Op) error {
			if operations.Add(1) == int64(dies)+1 {
				once.Lock()
				defer once.Unlock()
				frozen = disk.CrashClone(crash(dies))
			}
			return nil
		}))})
		if err != nil {
			t.Fatal(err)
		}
		once.Lock()
		after := frozen
		once.Unlock()
		if after == nil {
			if dies < 50 {
				t.Fatalf("a restore has %d operations, which cannot be all", dies)
			}
			return
		}
		if _, err := after.Stat("again"); err != nil {
			_, err := Restore(t.Context(), "backup", "again", RestoreOptions{FS: after})
			if errors.Is(err, ErrOccupied) { // it is whole but for its name
				err = after.Rename("again.partial", "again")
			}
			if err != nil {
				t.Fatalf("killed at operation %d: the next restore: %v", dies, err)
			}
		}
		if v := verified(t, after, "again"); !v.Whole() || v.Events != 18 {
			t.Fatalf("killed at operation %d: %s", dies, faults(v))
		}
	}
}

// TestAClaimOutlivesThePower: whatever else of an unfinished directory does, the file that says what it is does, too.
func TestAClaimOutlivesThePower(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	target, err := claim(disk, "backup")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(writeFile(disk, "backup.partial/other", []byte("x")), syncDir(disk, "")); err != nil {
		t.Fatal(err)
	}
	after := disk.CrashClone(vfs.CrashCloneCfg{})
	if _, err := after.Stat("backup.partial/" + incompleteFile); err != nil {
		t.Errorf("after a power cut: %v", err)
	}
	if _, err := claim(disk, "backup"); err == nil || !strings.Contains(err.Error(), "another backup or restore is writing") {
		t.Errorf("a second claim: %v, want that there is one", err)
	}
	if err := target.abandon(); err != nil {
		t.Fatal(err)
	}
	if _, err := disk.Stat("backup.partial"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is left: %v", err)
	}
}

// TestAFullDiskDuringABackup fails every write, one after the other: the backup says so, leaves nothing, and the log goes on.
func TestAFullDiskDuringABackup(t *testing.T) {
	t.Parallel()
	every := 2
	if testing.Short() {
		every = 7
	}
	for fails := 0; ; fails += every {
		disk := vfs.NewMem()
		var writes atomic.Int64
		var failed atomic.Bool
		l, err := Open("data", Options{FS: errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == errorfs.OpFileWrite && strings.HasPrefix(op.Path, "backup.partial") && writes.Add(1) > int64(fails) {
				failed.Store(true)
				return syscall.ENOSPC
			}
			return nil
		}))})
		if err != nil {
			t.Fatal(err)
		}
		fill(t, l)
		_, err = l.Backup(t.Context(), "backup", BackupOptions{})
		if !failed.Load() {
			if err != nil || fails < 5 {
				t.Fatalf("a backup has %d writes, %v: that cannot be all", fails, err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			return
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("write %d failed: %v, want that the disk is full", fails, err)
		}
		names, err := disk.List("")
		if err != nil || len(names) != 1 {
			t.Fatalf("write %d failed: left %v, %v, want the log alone", fails, names, err)
		}
		if _, err := l.Append(t.Context(), "late", NoStream, Event{ID: uuid.New(), Type: "t"}); err != nil {
			t.Fatalf("write %d failed: the log: %v", fails, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAFullDiskDuringARestore is the same for restoring.
func TestAFullDiskDuringARestore(t *testing.T) {
	t.Parallel()
	disk := someLog(t)
	l, err := Open("store", Options{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	backedUp(t, l, "backup", BackupOptions{})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for fails := 0; ; fails += 2 {
		var writes atomic.Int64
		_, err := Restore(t.Context(), "backup", "again", RestoreOptions{FS: errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == errorfs.OpFileWrite && writes.Add(1) > int64(fails) {
				return syscall.ENOSPC
			}
			return nil
		}))})
		if writes.Load() <= int64(fails) {
			if err != nil || fails < 5 {
				t.Fatalf("a restore has %d writes, %v: that cannot be all", fails, err)
			}
			break
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("write %d failed: %v, want that the disk is full", fails, err)
		}
		if names, err := disk.List(""); err != nil || len(names) != 2 {
			t.Fatalf("write %d failed: left %v, %v, want the log and its backup", fails, names, err)
		}
	}
	if v := verified(t, disk, "again"); !v.Whole() || v.Events != 18 {
		t.Errorf("once there is room: %s", faults(v))
	}
}

func TestABackupToldToStop(t *testing.T) {
	t.Parallel()
	at := t.TempDir()
	l := opened(t, filepath.Join(at, "data"), Options{})
	fill(t, l)
	ctx, stop := context.WithCancel(t.Context())
	_, err := l.Backup(ctx, filepath.Join(at, "backup"), BackupOptions{Progress: func(step string, done, total int64) {
		if step != StepCopy || done > total {
			t.Errorf("told of %q, %d of %d", step, done, total)
		}
		stop()
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want that it was told to stop", err)
	}
	if left, err := filepath.Glob(filepath.Join(at, "*")); err != nil || len(left) != 1 {
		t.Errorf("left %v, %v, want the log alone", left, err)
	}
}

func TestDamagedBackupsAreNotRestored(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		damage func(t *testing.T, disk vfs.FS, table string)
		says   string
	}{
		"a bit of a table": {func(t *testing.T, disk vfs.FS, table string) {
			t.Helper()
			text := content(t, disk, table)
			text[len(text)/3] ^= 8
			if err := writeFile(disk, table, text); err != nil {
				t.Fatal(err)
			}
		}, "SHA-256"},
		"the end of a table": {func(t *testing.T, disk vfs.FS, table string) {
			t.Helper()
			text := content(t, disk, table)
			if err := writeFile(disk, table, text[:len(text)-1]); err != nil {
				t.Fatal(err)
			}
		}, "bytes, the backup says"},
		"a table gone": {func(t *testing.T, disk vfs.FS, table string) {
			t.Helper()
			if err := disk.Remove(table); err != nil {
				t.Fatal(err)
			}
		}, "not exist"},
		"a manifest that is none": {func(t *testing.T, disk vfs.FS, _ string) {
			t.Helper()
			if err := writeFile(disk, "backup/"+manifestFile, []byte("{")); err != nil {
				t.Fatal(err)
			}
		}, "damaged"},
		"a manifest of another head": {func(t *testing.T, disk vfs.FS, _ string) {
			t.Helper()
			text := bytes.Replace(content(t, disk, "backup/"+manifestFile), []byte(`"head": 18`), []byte(`"head": 17`), 1)
			if err := writeFile(disk, "backup/"+manifestFile, text); err != nil {
				t.Fatal(err)
			}
		}, "ends at"},
		"a manifest that leads elsewhere": {func(t *testing.T, disk vfs.FS, table string) {
			t.Helper()
			text := bytes.Replace(content(t, disk, "backup/"+manifestFile), []byte(disk.PathBase(table)), []byte("../data/"+disk.PathBase(table)), 1)
			if err := writeFile(disk, "backup/"+manifestFile, text); err != nil {
				t.Fatal(err)
			}
		}, "names a file"},
		"no manifest": {func(t *testing.T, disk vfs.FS, _ string) {
			t.Helper()
			if err := disk.Remove("backup/" + manifestFile); err != nil {
				t.Fatal(err)
			}
		}, "no whole backup"},
		"a backup of another format": {func(t *testing.T, disk vfs.FS, _ string) {
			t.Helper()
			text := bytes.Replace(content(t, disk, "backup/"+manifestFile), []byte(backupFormat), []byte("tidings backup 7"), 1)
			if err := writeFile(disk, "backup/"+manifestFile, text); err != nil {
				t.Fatal(err)
			}
		}, "tidings backup 7"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			disk := someLog(t)
			l, err := Open("store", Options{FS: disk})
			if err != nil {
				t.Fatal(err)
			}
			m, err := l.Backup(t.Context(), "backup", BackupOptions{})
			if err := errors.Join(err, l.Close()); err != nil {
				t.Fatal(err)
			}
			table := slices.IndexFunc(m.Files, func(f File) bool { return strings.HasSuffix(f.Name, tableSuffix) })
			c.damage(t, disk, "backup/"+m.Files[table].Name)
			if _, err := Restore(t.Context(), "backup", "again", RestoreOptions{FS: disk}); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want it to say %q", err, c.says)
			}
			if _, err := disk.Stat("again"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("it was restored all the same: %v", err)
			}
			if _, err := disk.Stat("again.partial"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("something is left: %v", err)
			}
			if name == "no manifest" {
				return // then it looks like a log
			}
			if v, err := VerifyDirectory(t.Context(), "backup", VerifyOptions{FS: disk}); err == nil && v.Whole() {
				t.Error("verifying the backup found no fault")
			}
		})
	}
}

// TestRestoredLogsNeverShareAPosition restores one backup again and again, at any time: what each wrote is above what all before wrote.
func TestRestoredLogsNeverShareAPosition(t *testing.T) {
	t.Parallel()
	disk := someLog(t)
	l, err := Open("store", Options{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	backedUp(t, l, "backup", BackupOptions{})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, time.December, 1, 0, 0, 0, 0, time.UTC)
	highest := Position(18)
	for i := range 5 {
		now = now.Add(time.Duration(i+1) * time.Second)
		dir := fmt.Sprint("again-", i)
		if _, err := Restore(t.Context(), "backup", dir, RestoreOptions{FS: disk, Now: func() time.Time { return now }}); err != nil {
			t.Fatal(err)
		}
		l, err := Open(dir, Options{FS: disk})
		if err != nil {
			t.Fatal(err)
		}
		done, err := l.Append(t.Context(), "s", NoStream, Event{ID: uuid.New(), Type: "t"}, Event{ID: uuid.New(), Type: "t"})
		if err := errors.Join(err, l.Close()); err != nil {
			t.Fatal(err)
		}
		if done.Position-1 <= highest {
			t.Errorf("restore %d wrote at %d and before, where %d was written already", i, done.Position, highest)
		}
		highest = done.Position
	}
	const exact = 1 << 53
	if late := aboveAll(18, time.Date(2296, time.December, 31, 0, 0, 0, 0, time.UTC)); late >= exact {
		t.Errorf("in 2296 positions begin at %d, want below 2⁵³", late)
	}
	if got, want := aboveAll(1<<40+5, time.Unix(0, 0)), Position(1<<40+1<<32); got != want {
		t.Errorf("with a clock that is wrong positions begin at %d, want %d", got, want)
	}
}

func TestStats(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, time.November, 21, 12, 0, 0, 0, time.UTC)
	disk := vfs.NewMem()
	l, err := Open("store", Options{FS: disk, Now: func() time.Time { return at }, MinFree: 7})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := l.Stats(t.Context(), StatsOptions{Count: true}); err != nil || s.Head != 0 || !s.LastEvent.IsZero() || *s.Counted != (Counted{}) {
		t.Errorf("an empty log: %+v, %v", s, err)
	}
	fill(t, l)
	events := make([]Event, 3*hopAfter)
	for i := range events {
		events[i] = Event{ID: uuid.New(), Type: "t"}
	}
	for _, stream := range []string{"long", "long and ended"} {
		if _, err := l.Append(t.Context(), stream, NoStream, events...); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Append(t.Context(), "just so long", NoStream, events[:hopAfter]...); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Tombstone(t.Context(), "long and ended", Any); err != nil {
		t.Fatal(err)
	}
	want := Counted{Events: 18 + 7*hopAfter + 1, Streams: 12, Tombstoned: 2, WithMetadata: 2}
	s, err := l.Stats(t.Context(), StatsOptions{Count: true})
	if err != nil || *s.Counted != want || int64(s.Head) != want.Events || !s.LastEvent.Equal(at) || !s.OpenSince.Equal(at) || s.MinFreeBytes != 7 {
		t.Errorf("got %+v, %+v, %v, want %+v", s, s.Counted, err, want)
	}
	if s, err = l.Stats(t.Context(), StatsOptions{}); err != nil || s.Counted != nil || s.Bytes.WAL == 0 || s.Bytes.Other == 0 {
		t.Errorf("without counting: %+v, %v", s, err)
	}
	if err := errors.Join(l.db.Flush(), l.Close()); err != nil {
		t.Fatal(err)
	}
	s, err = StatsDirectory(t.Context(), "store", StatsOptions{FS: disk, Count: true})
	if err != nil || *s.Counted != want || s.Bytes.Tables == 0 || !s.OpenSince.IsZero() {
		t.Errorf("of the directory: %+v, %v, want %+v", s, err, want)
	}
	v := verified(t, disk, "store")
	if got := (Counted{v.Events, v.Streams, v.Tombstoned, v.WithMetadata}); got != want {
		t.Errorf("verifying counts %+v, stats %+v", got, want)
	}
	if _, err := StatsDirectory(t.Context(), "nowhere", StatsOptions{FS: disk}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of no directory: %v", err)
	}
}
