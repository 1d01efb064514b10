package eventlog_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// TestADirectoryIsHeldWithoutItsLock: somebody took LOCK for litter.
func TestADirectoryIsHeldWithoutItsLock(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	l, err := eventlog.Open(dir, eventlog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+".moved"); err != nil { // a lock by path would not be found again
		t.Fatal(err)
	}
	dir += ".moved"
	if err := os.Remove(filepath.Join(dir, "LOCK")); err != nil {
		t.Fatal(err)
	}
	if other, err := eventlog.Open(dir, eventlog.Options{}); !errors.Is(err, eventlog.ErrInUse) {
		t.Errorf("opened twice: %v, %v, want ErrInUse", other, err)
	}
	if _, err := eventlog.VerifyDirectory(t.Context(), dir, eventlog.VerifyOptions{}); !errors.Is(err, eventlog.ErrInUse) {
		t.Errorf("verified meanwhile: %v, want ErrInUse", err)
	}
	_ = l.Close() // its files have another name now
	again, err := eventlog.Open(dir, eventlog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestABackupGoesWhereALinkLeads(t *testing.T) {
	t.Parallel()
	at := t.TempDir()
	l, err := eventlog.Open(filepath.Join(at, "log"), eventlog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	mustAppend(t, l, "s", eventlog.NoStream, event("x"))
	elsewhere, link, nowhere := filepath.Join(at, "elsewhere"), filepath.Join(at, "link"), filepath.Join(at, "nowhere")
	for _, err := range []error{os.Mkdir(elsewhere, 0o700), os.Symlink(elsewhere, link), os.Symlink(filepath.Join(at, "gone"), nowhere)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Backup(t.Context(), link, eventlog.BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(elsewhere, "BACKUP.json")); err != nil {
		t.Errorf("the backup is not where the link leads: %v", err)
	}
	if to, err := os.Readlink(link); err != nil || to != elsewhere {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	if _, err := l.Backup(t.Context(), nowhere, eventlog.BackupOptions{}); err == nil {
		t.Error("a backup went to a link that leads nowhere")
	}
	if _, err := eventlog.Restore(t.Context(), link, nowhere, eventlog.RestoreOptions{}); err == nil {
		t.Error("a log was restored to a link that leads nowhere")
	}
	mount := filepath.Join(at, "mount")
	if err := os.Mkdir(mount, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("the rest needs a mount point, which only root can make: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(mount, 0); err != nil {
			t.Error(err)
		}
	})
	if _, err := l.Backup(t.Context(), mount, eventlog.BackupOptions{}); !errors.Is(err, eventlog.ErrOccupied) {
		t.Errorf("a backup onto a mount point: %v, want ErrOccupied", err)
	}
}
