package eventlog_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

var errDisk = errors.New("the disk is on fire")

func TestAFailedWriteStopsAppends(t *testing.T) {
	t.Parallel()
	cases := map[string][]errorfs.OpKind{
		"a failed sync":  {errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo},
		"a failed write": {errorfs.OpFileWrite},
	}
	for what, kinds := range cases {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			var burning atomic.Bool
			disk := vfs.NewCrashableMem()
			fs := errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
				for _, kind := range kinds {
					if burning.Load() && op.Kind == kind {
						return errDisk
					}
				}
				return nil
			}))
			l, err := eventlog.Open("store", eventlog.Options{FS: fs})
			if err != nil {
				t.Fatal(err)
			}
			mustAppend(t, l, "s", eventlog.NoStream, event("kept"))

			burning.Store(true)
			var failed *eventlog.Failed
			if _, err := l.Append(t.Context(), "s", 0, event("lost")); !errors.As(err, &failed) || !errors.Is(err, errDisk) {
				t.Errorf("append: %v, want Failed by the disk", err)
			}
			burning.Store(false)
			if _, err := l.Append(t.Context(), "s", 0, event("late")); !errors.As(err, &failed) {
				t.Errorf("append once the disk is well again: %v, want still Failed", err)
			}
			if got := l.Head(); got != 1 {
				t.Errorf("head = %d, want 1: nothing was acknowledged", got)
			}
			page, err := l.Forward(1, eventlog.Limit{})
			if err != nil || describe(page) != "[1:s@0 kept]" {
				t.Errorf("the log reads %s, %v", describe(page), err)
			}
			s, err := l.Stream("s")
			if err != nil || s.Last != 0 {
				t.Errorf("the stream's last revision is %d, %v, want 0", s.Last, err)
			}
			_ = l.Close() // it may complain; what counts is that it ends

			after := open(t, eventlog.Options{FS: disk.CrashClone(vfs.CrashCloneCfg{})})
			mustAppend(t, after, "s", 0, event("next"))
		})
	}
}
