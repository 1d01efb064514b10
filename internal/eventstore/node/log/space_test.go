package eventlog_test

import (
	"context"
	"errors"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

const mebibyte = 1 << 20

// smallDisk says how much of it is free; its writes fail while none is.
type smallDisk struct {
	vfs.FS

	free atomic.Int64
}

func newSmallDisk(free int64) *smallDisk {
	d := &smallDisk{}
	d.free.Store(free)
	d.FS = errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		switch op.Kind {
		case errorfs.OpFileWrite, errorfs.OpFileWriteAt, errorfs.OpCreate:
			if d.free.Load() == 0 {
				return syscall.ENOSPC
			}
		}
		return nil
	}))
	return d
}

func (d *smallDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: uint64(d.free.Load()), TotalBytes: 100 * 1024 * mebibyte}, nil
}

// soon asks until the answer is the wanted one.
func soon(t *testing.T, what string, asked func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !asked(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after 20 s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func TestAFullDiskRefusesAppendsUntilThereIsRoom(t *testing.T) {
	t.Parallel()
	disk := newSmallDisk(1024 * mebibyte)
	l := open(t, eventlog.Options{FS: disk})
	mustAppend(t, l, "s", eventlog.NoStream, event("kept"))

	disk.free.Store(255 * mebibyte)
	appended := func(kind string) error {
		_, err := l.Append(t.Context(), "s", eventlog.Any, event(kind))
		return err
	}
	soon(t, "refused", func() bool { return errors.Is(appended("filler"), eventlog.ErrFull) })
	head := l.Head()
	for what, do := range map[string]func() error{
		"append": func() error { return appended("lost") },
		"delete": func() error {
			_, err := l.Delete(t.Context(), "s", eventlog.Any)
			return err
		},
		"tombstone": func() error {
			_, err := l.Tombstone(t.Context(), "s", eventlog.Any)
			return err
		},
	} {
		if err := do(); !errors.Is(err, eventlog.ErrFull) {
			t.Errorf("%s on a full disk: %v, want ErrFull", what, err)
		}
	}
	if page, err := l.Forward(1, eventlog.Limit{Events: 1}); err != nil || describe(page) != "[1:s@0 kept]" {
		t.Errorf("the log reads %s, %v", describe(page), err)
	}
	if l.Head() != head {
		t.Errorf("the head moved from %d to %d on a full disk", head, l.Head())
	}

	disk.free.Store(256 * mebibyte)
	soon(t, "accepted", func() bool { return appended("after") == nil })
}

func TestAWriteThatFindsTheDiskFullWaitsForRoom(t *testing.T) {
	t.Parallel()
	disk := newSmallDisk(1024 * mebibyte)
	l := open(t, eventlog.Options{FS: disk})
	mustAppend(t, l, "s", eventlog.NoStream, event("before"))

	disk.free.Store(0)
	answered := make(chan error, 1)
	go func() {
		// It may be refused at the door, or get in and wait.
		_, err := l.Append(context.WithoutCancel(t.Context()), "s", 0, event("waits"))
		answered <- err
	}()
	soon(t, "full", func() bool { return errors.Is(l.Full(), eventlog.ErrFull) })
	disk.free.Store(1024 * mebibyte)
	err := <-answered
	if err != nil && !errors.Is(err, eventlog.ErrFull) {
		t.Errorf("an append that met a full disk: %v, want none or ErrFull", err)
	}
	soon(t, "room", func() bool { return l.Full() == nil })
	if err := l.Failure(); err != nil {
		t.Errorf("the log failed for good: %v", err)
	}
	mustAppend(t, l, "s", eventlog.Any, event("after"))
}

func TestALogCanBeClosedOnAFullDisk(t *testing.T) {
	t.Parallel()
	disk := newSmallDisk(1024 * mebibyte)
	l, err := eventlog.Open("store", eventlog.Options{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	disk.free.Store(0)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		_, _ = l.Append(context.WithoutCancel(t.Context()), "s", eventlog.Any, event("waits")) // whatever it is told, it must be told
	}()
	soon(t, "full", func() bool { return errors.Is(l.Full(), eventlog.ErrFull) })
	_ = l.Close() // it may complain; what counts is that it ends
	<-answered
}
