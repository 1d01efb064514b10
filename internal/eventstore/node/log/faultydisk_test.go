package eventlog_test

import (
	"errors"
	"io"
	"os"
	"path"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var errDisk = errors.New("the disk is on fire")

// diskOp is something that is about to happen to a file.
type diskOp struct {
	verb string // create, write, sync, close, rename, remove, link
	kind string // log, sst, MANIFEST, OPTIONS, marker, ACKNOWLEDGED, LOCK, dir
}

var (
	diskVerbs = []string{"create", "write", "sync", "close", "rename", "remove", "link"}
	diskKinds = []string{"log", "sst", "MANIFEST", "OPTIONS", "marker", "ACKNOWLEDGED", "dir"}
)

func kindOf(name string) string {
	base := path.Base(name)
	if extension := path.Ext(base); extension == ".log" || extension == ".sst" || extension == ".blob" {
		return extension[1:]
	}
	kind, _, _ := strings.Cut(base, "-")
	kind, _, _ = strings.Cut(kind, ".")
	return kind
}

// errShort has a write write half of what it should.
var errShort = io.ErrShortWrite

// faultyDisk fails when its judge says so; it can be read all the same. After a failed sync of a file, later ones of the same file succeed and sync nothing, as
// on Linux: what was dirty is given up.
type faultyDisk struct {
	vfs.FS

	judge atomic.Pointer[func(diskOp) error]
	full  atomic.Bool // for GetDiskUsage
}

func newFaultyDisk(below vfs.FS) *faultyDisk { return &faultyDisk{FS: below} }

func (d *faultyDisk) fail(judge func(diskOp) error) { d.judge.Store(&judge) }

func (d *faultyDisk) heal() { d.judge.Store(nil) }

func (d *faultyDisk) check(verb, name string) error {
	judge := d.judge.Load()
	if judge == nil {
		return nil
	}
	if err := (*judge)(diskOp{verb: verb, kind: kindOf(name)}); err != nil {
		return &os.PathError{Op: verb, Path: name, Err: err}
	}
	return nil
}

func (d *faultyDisk) wrap(name string, file vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &faultyFile{File: file, disk: d, name: name}, nil
}

func (d *faultyDisk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := d.check("create", name); err != nil {
		return nil, err
	}
	file, err := d.FS.Create(name, c)
	return d.wrap(name, file, err)
}

func (d *faultyDisk) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := d.check("create", name); err != nil {
		return nil, err
	}
	file, err := d.FS.ReuseForWrite(old, name, c)
	return d.wrap(name, file, err)
}

func (d *faultyDisk) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	file, err := d.FS.OpenReadWrite(name, c, o...)
	return d.wrap(name, file, err)
}

func (d *faultyDisk) OpenDir(name string) (vfs.File, error) {
	file, err := d.FS.OpenDir(name)
	return d.wrap(d.PathJoin(name, "dir"), file, err)
}

func (d *faultyDisk) Rename(old, name string) error {
	if err := d.check("rename", name); err != nil {
		return err
	}
	return d.FS.Rename(old, name)
}

func (d *faultyDisk) Link(old, name string) error {
	if err := d.check("link", name); err != nil {
		return err
	}
	return d.FS.Link(old, name)
}

func (d *faultyDisk) Remove(name string) error {
	if err := d.check("remove", name); err != nil {
		return err
	}
	return d.FS.Remove(name)
}

func (d *faultyDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	const size = 1 << 40
	if d.full.Load() {
		return vfs.DiskUsage{TotalBytes: size, UsedBytes: size}, nil
	}
	return vfs.DiskUsage{TotalBytes: size, AvailBytes: size}, nil
}

func (d *faultyDisk) Unwrap() vfs.FS { return d.FS }

type faultyFile struct {
	vfs.File

	disk *faultyDisk
	name string
	lost atomic.Bool
}

func (f *faultyFile) Write(p []byte) (int, error) {
	if err := f.disk.check("write", f.name); err != nil {
		return f.half(p, err, f.File.Write)
	}
	return f.File.Write(p)
}

func (f *faultyFile) WriteAt(p []byte, offset int64) (int, error) {
	if err := f.disk.check("write", f.name); err != nil {
		return f.half(p, err, func(p []byte) (int, error) { return f.File.WriteAt(p, offset) })
	}
	return f.File.WriteAt(p, offset)
}

func (f *faultyFile) half(p []byte, cause error, write func([]byte) (int, error)) (int, error) {
	if !errors.Is(cause, errShort) && !errors.Is(cause, syscall.ENOSPC) {
		return 0, cause
	}
	n, err := write(p[:len(p)/2])
	return n, errors.Join(cause, err)
}

func (f *faultyFile) Sync() error { return f.sync(f.File.Sync) }

func (f *faultyFile) SyncData() error { return f.sync(f.File.SyncData) }

func (f *faultyFile) SyncTo(length int64) (full bool, err error) {
	err = f.sync(func() error {
		full, err = f.File.SyncTo(length)
		return err
	})
	return full, err
}

func (f *faultyFile) sync(sync func() error) error {
	if err := f.disk.check("sync", f.name); err != nil {
		f.lost.Store(true)
		return err
	}
	if f.lost.Load() {
		return nil
	}
	return sync()
}

func (f *faultyFile) Close() error {
	err := f.disk.check("close", f.name)
	return errors.Join(err, f.File.Close())
}
