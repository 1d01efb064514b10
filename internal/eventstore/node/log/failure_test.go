package eventlog_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// TestAFailedWriteStopsAppends has the disk fail under an append or under the writing of tables. Whatever failed: nothing is
// acknowledged any more, reading goes on, Close ends, and what was acknowledged is there when the log is opened again.
func TestAFailedWriteStopsAppends(t *testing.T) {
	t.Parallel()
	cases := map[string][]diskOp{
		"a failed sync":                      {{"sync", "log"}},
		"a failed write":                     {{"write", "log"}},
		"a log that cannot be begun":         {{"create", "log"}},
		"a log that cannot be ended":         {{"close", "log"}},
		"a directory that cannot be synced":  {{"sync", "dir"}},
		"a table that cannot be begun":       {{"create", "sst"}},
		"a table that cannot be written":     {{"write", "sst"}},
		"a table that cannot be synced":      {{"sync", "sst"}},
		"a manifest that cannot be written":  {{"write", "MANIFEST"}},
		"a manifest that cannot be synced":   {{"sync", "MANIFEST"}},
		"nothing can be written any more":    {{"write", "log"}, {"write", "MANIFEST"}, {"write", "sst"}, {"create", "log"}, {"create", "sst"}},
		"nothing can be synced any more":     {{"sync", "log"}, {"sync", "MANIFEST"}, {"sync", "sst"}, {"sync", "dir"}},
		"a log neither ended nor begun":      {{"close", "log"}, {"create", "log"}},
		"a table neither written nor undone": {{"sync", "sst"}, {"remove", "sst"}},
	}
	for what, ops := range cases {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			below := vfs.NewCrashableMem()
			disk := newFaultyDisk(below)
			l, err := eventlog.Open("store", eventlog.Options{FS: disk})
			if err != nil {
				t.Fatal(err)
			}
			mustAppend(t, l, "s", eventlog.NoStream, event("kept"))

			disk.fail(func(op diskOp) error {
				if slices.Contains(ops, op) {
					return errDisk
				}
				return nil
			})
			if err := l.Rotate(); err != nil {
				t.Error(err)
			}
			var failed *eventlog.Failed
			soon(t, "failed", func() bool {
				_, err := l.Append(t.Context(), "other", eventlog.Any, event("maybe"))
				return errors.As(err, &failed)
			})
			if !errors.Is(failed, errDisk) {
				t.Errorf("append: %v, want Failed by the disk", failed)
			}
			disk.heal()
			head := l.Head()
			if _, err := l.Append(t.Context(), "s", 0, event("late")); !errors.As(err, &failed) {
				t.Errorf("append once the disk is well again: %v, want still Failed", err)
			}
			if got := l.Head(); got != head {
				t.Errorf("head = %d, want %d: nothing was acknowledged", got, head)
			}
			page, err := l.Forward(1, eventlog.Limit{Events: 1})
			if err != nil || describe(page) != "[1:s@0 kept]" {
				t.Errorf("the log reads %s, %v", describe(page), err)
			}
			s, err := l.Stream("s")
			if err != nil || s.Last != 0 {
				t.Errorf("the stream's last revision is %d, %v, want 0", s.Last, err)
			}
			died := killed(t, below)
			_ = l.Close() // it may complain; what counts is that it ends

			for _, left := range []*vfs.MemFS{below.CrashClone(vfs.CrashCloneCfg{}), died, killed(t, below)} {
				after := open(t, eventlog.Options{FS: left})
				if got := after.Head(); got < head {
					t.Errorf("head after opening again = %d, want %d at least", got, head)
				}
				mustAppend(t, after, "s", 0, event("next"))
			}
		})
	}
}

// TestOpeningOnAFailingDiskEnds cannot write what it found in the write-ahead log into a table.
func TestOpeningOnAFailingDiskEnds(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"create", "write", "sync", "close", "rename"} {
		for _, kind := range []string{"log", "sst", "MANIFEST", "marker", "dir", "000000", "OPTIONS", "ACKNOWLEDGED"} {
			t.Run(verb+" "+kind, func(t *testing.T) {
				t.Parallel()
				below := vfs.NewCrashableMem()
				l := open(t, eventlog.Options{FS: below})
				mustAppend(t, l, "s", eventlog.NoStream, event("kept"))
				left := killed(t, below)

				disk := newFaultyDisk(left)
				met := false
				disk.fail(func(op diskOp) error {
					if op.verb == verb && (op.kind == kind || kind == "000000" && op.kind[0] == '0') {
						met = true
						return errDisk
					}
					return nil
				})
				again, err := eventlog.Open("store", eventlog.Options{FS: disk})
				if met && !errors.Is(err, errDisk) {
					t.Errorf("open: %v, want the disk's error", err)
				}
				disk.heal()
				if err == nil {
					if err := again.Close(); err != nil {
						t.Error(err)
					}
				}
				whole := open(t, eventlog.Options{FS: left})
				if got := whole.Head(); got != 1 {
					t.Errorf("head = %d, want 1", got)
				}
			})
		}
	}
}

func TestTheDirectoryItselfIsDurable(t *testing.T) {
	t.Parallel()
	below := vfs.NewCrashableMem()
	l, err := eventlog.Open("a/b/store", eventlog.Options{FS: below})
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, "s", eventlog.NoStream, event("kept"))
	after := below.CrashClone(vfs.CrashCloneCfg{})
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if l, err = eventlog.Open("a/b/store", eventlog.Options{FS: after}); err != nil {
		t.Fatal(err)
	}
	if got := l.Head(); got != 1 {
		t.Errorf("head = %d, want 1: a directory above the log was lost", got)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
