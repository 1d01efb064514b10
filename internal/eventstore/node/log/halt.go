package eventlog

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// haltingDisk is the storage engine's disk. Once a write has failed that the engine cannot do without, it leaves the directory as it is
// at that moment, as the death of the process would. The engine itself counts on dying there: it would go on to remove tables that its
// manifest may name by then, and it panics, its locks held, where a write-ahead log cannot be begun or ended. So the failure is told to
// the log, which acknowledges nothing any more, and the engine is told that all went well where it could not bear to know. While the
// engine is being opened it can bear nothing: it would try a flush again and again, for ever. Then every failure halts the disk.
type haltingDisk struct {
	vfs.FS

	dir    string
	failed func(error) // told of the failure before the engine goes on; it may be told more than one

	opened atomic.Bool
	cause  atomic.Pointer[error]
}

func newHaltingDisk(disk vfs.FS, dir string, failed func(error)) *haltingDisk {
	return &haltingDisk{FS: disk, dir: disk.PathJoin(dir), failed: failed}
}

// err is what halted it, nil while it writes.
func (d *haltingDisk) err() error {
	if cause := d.cause.Load(); cause != nil {
		return *cause
	}
	return nil
}

func (d *haltingDisk) halted() bool { return d.err() != nil }

func (d *haltingDisk) halt(what, name string, cause error) {
	err := fmt.Errorf("%s %s: %w", what, d.PathBase(name), cause)
	d.failed(err)
	d.cause.CompareAndSwap(nil, &err)
}

// role says how much depends on a file.
type role int

const (
	roleOther     role = iota // not of this directory, or a table: the engine copes with a failure
	roleEssential             // the manifest and the markers; while the engine is opened, everything
	roleSilent                // the write-ahead log and the directory: the engine panics when it is told of a failure
)

func (d *haltingDisk) roleOf(name string) role {
	switch d.dir {
	case d.PathJoin(name):
		return roleSilent
	case d.PathJoin(d.PathDir(name)):
	default:
		return roleOther
	}
	base := d.PathBase(name)
	switch {
	case filepath.Ext(base) == ".log":
		return roleSilent
	case strings.HasPrefix(base, "MANIFEST-"), strings.HasPrefix(base, "marker."):
		return roleEssential
	case !d.opened.Load():
		return roleEssential
	}
	return roleOther
}

// do does something to a file, unless the disk is halted, and halts it when it fails and the file matters.
func (d *haltingDisk) do(what, name string, r role, work func() error) error {
	err := d.err()
	if err == nil {
		if err = work(); err == nil || r == roleOther {
			return err
		}
		d.halt(what, name, err)
	}
	if r == roleSilent || r != roleOther && !d.opened.Load() {
		return nil
	}
	return err
}

// Create makes the directory durable before a marker: the engine does so after it, and a power cut between the two may leave a marker that
// names a manifest which is not there.
func (d *haltingDisk) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return d.create(name, func() (vfs.File, error) {
		if d.isMarker(name) {
			if err := syncDir(d.FS, d.dir); err != nil {
				return nil, err
			}
		}
		return d.FS.Create(name, category)
	})
}

func (d *haltingDisk) isMarker(name string) bool {
	return strings.HasPrefix(d.PathBase(name), "marker.") && d.roleOf(name) == roleEssential
}

func (d *haltingDisk) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return d.create(name, func() (vfs.File, error) { return d.FS.ReuseForWrite(old, name, category) })
}

func (d *haltingDisk) OpenReadWrite(name string, category vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return d.create(name, func() (vfs.File, error) { return d.FS.OpenReadWrite(name, category, o...) })
}

func (d *haltingDisk) create(name string, create func() (vfs.File, error)) (file vfs.File, err error) {
	r := d.roleOf(name)
	err = d.do("create", name, r, func() (err error) {
		file, err = create()
		return err
	})
	if err != nil {
		return nil, err
	}
	if file == nil {
		file = vfs.NewMemFile(nil) // never written to: the disk is halted
	}
	return &haltingFile{File: file, disk: d, name: name}, nil
}

func (d *haltingDisk) OpenDir(name string) (vfs.File, error) {
	file, err := d.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &haltingFile{File: file, disk: d, name: name}, nil
}

func (d *haltingDisk) Rename(old, name string) error {
	return d.do("rename", name, d.roleOf(name), func() error { return d.FS.Rename(old, name) })
}

func (d *haltingDisk) Link(old, name string) error {
	return d.do("link", name, d.roleOf(name), func() error { return d.FS.Link(old, name) })
}

// Remove removes nothing once the disk is halted. A failure is left to the engine, which tries again.
func (d *haltingDisk) Remove(name string) error {
	if d.halted() {
		return nil
	}
	return d.FS.Remove(name)
}

// RemoveAll is as Remove.
func (d *haltingDisk) RemoveAll(name string) error {
	if d.halted() {
		return nil
	}
	return d.FS.RemoveAll(name)
}

func (d *haltingDisk) MkdirAll(dir string, perm os.FileMode) error {
	return d.do("make", dir, roleOther, func() error { return d.FS.MkdirAll(dir, perm) })
}

func (d *haltingDisk) Unwrap() vfs.FS { return d.FS }

type haltingFile struct {
	vfs.File

	disk *haltingDisk
	name string
}

func (f *haltingFile) do(what string, work func() error) error {
	return f.disk.do(what, f.name, f.disk.roleOf(f.name), work)
}

func (f *haltingFile) Write(p []byte) (n int, err error) {
	err = f.do("write", func() (err error) {
		n, err = f.File.Write(p)
		return err
	})
	if err == nil {
		n = len(p)
	}
	return n, err
}

func (f *haltingFile) WriteAt(p []byte, offset int64) (n int, err error) {
	err = f.do("write", func() (err error) {
		n, err = f.File.WriteAt(p, offset)
		return err
	})
	if err == nil {
		n = len(p)
	}
	return n, err
}

// Preallocate is a wish: on a disk without room for it a write may still find some, or wait for it.
func (f *haltingFile) Preallocate(offset, length int64) error {
	if !f.disk.halted() {
		_ = f.File.Preallocate(offset, length)
	}
	return nil
}

func (f *haltingFile) Sync() error { return f.do("sync", f.File.Sync) }

func (f *haltingFile) SyncData() error { return f.do("sync", f.File.SyncData) }

func (f *haltingFile) SyncTo(length int64) (full bool, err error) {
	err = f.do("sync", func() (err error) {
		full, err = f.File.SyncTo(length)
		return err
	})
	return full, err
}

// Close closes the file even on a halted disk.
func (f *haltingFile) Close() error {
	err := f.File.Close()
	return f.do("close", func() error { return err })
}
