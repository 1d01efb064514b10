package eventlog_test

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// TestARealDiskThatFills has a small file system filled by somebody else while the log is written, down to the last byte. The file
// system is not too small: the storage engine keeps about 90 MB of old write-ahead logs to use again.
func TestARealDiskThatFills(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256m"); err != nil {
		t.Skipf("a file system of its own can be mounted by root alone: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	l, err := eventlog.Open(filepath.Join(dir, "log"), eventlog.Options{MinFree: 8 * mebibyte})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	acknowledged := 0
	grow := func() error {
		big := event("big")
		big.Data = make([]byte, 64<<10)
		_, err := l.Append(ctx, "s", eventlog.Any, big)
		if err == nil {
			acknowledged++
		}
		return err
	}
	for range 3 {
		for range 20 {
			if err := grow(); err != nil {
				t.Fatal(err)
			}
		}
		filler := filepath.Join(dir, "filler")
		fill(t, filler)
		soon(t, "refused", func() bool {
			// One that is in already when the disk fills waits: it is answered below.
			attempt, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
			defer cancel()
			_, err := l.Append(attempt, "s", eventlog.StreamExists)
			return errors.Is(err, eventlog.ErrFull)
		})
		if got := count(t, l); got != acknowledged {
			t.Errorf("%d events can be read on the full disk, %d were acknowledged", got, acknowledged)
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		soon(t, "accepted", func() bool { return grow() == nil })
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	again, err := eventlog.Open(filepath.Join(dir, "log"), eventlog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := count(t, again); got != acknowledged {
		t.Errorf("%d events after opening again, %d were acknowledged", got, acknowledged)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func count(t *testing.T, l *eventlog.Log) int {
	t.Helper()
	all, err := everything(l)
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// fill writes until the disk has no byte left.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 64<<10)
	for err == nil {
		_, err = file.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Error(err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
}

// TestASmallDiskKeepsRoomForTheNextStart: the reserve must cover what opening again writes, however small the disk.
func TestASmallDiskKeepsRoomForTheNextStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=160m"); err != nil {
		t.Skipf("a file system of its own can be mounted by root alone: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	acknowledged := 0
	for round := range 3 {
		l, err := eventlog.Open(filepath.Join(dir, "log"), eventlog.Options{})
		if err != nil {
			t.Fatalf("start %d: %v", round, err)
		}
		var refused error
		for n := 0; refused == nil && n < 2000; n++ {
			big := event("big")
			big.Data = make([]byte, 256<<10)
			for i := 0; i < len(big.Data); i += 8 { // or it would be compressed to nothing
				binary.LittleEndian.PutUint64(big.Data[i:], rand.Uint64())
			}
			if _, refused = l.Append(t.Context(), "s", eventlog.Any, big); refused == nil {
				acknowledged++
			}
		}
		if !errors.Is(refused, eventlog.ErrFull) {
			t.Errorf("start %d: %v, want ErrFull", round, refused)
		}
		if got := count(t, l); got != acknowledged {
			t.Errorf("start %d: %d events can be read, %d were acknowledged", round, got, acknowledged)
		}
		if err := l.Failure(); err != nil {
			t.Errorf("start %d: %v", round, err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if acknowledged == 0 {
		t.Error("nothing was taken at all")
	}
}
