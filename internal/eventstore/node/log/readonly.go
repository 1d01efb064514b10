package eventlog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

var (
	errNoLog       = fmt.Errorf("there is no event log: %w", fs.ErrNotExist)
	errOtherFormat = errors.New("another format")
	errReadOnly    = errors.New("opened for reading only")
)

// lockFile is the storage engine's.
const lockFile = "LOCK"

// lockExisting makes sure that nobody else has a directory open, without leaving anything in it: one that was never open for writing,
// such as a backup, has nothing to lock.
func lockExisting(dir string, disk vfs.FS) (io.Closer, error) {
	if _, err := disk.Stat(dir); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = errNoLog
		}
		return nil, err
	}
	if _, err := disk.Stat(disk.PathJoin(dir, lockFile)); errors.Is(err, fs.ErrNotExist) {
		return nothingToClose{}, nil
	}
	lock, err := lockDirectory(dir, disk, 0)
	if err != nil {
		return nil, err
	}
	held, err := holdDirectory(dir, disk)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return bothLocks{lock, held}, nil
}

// bothLocks are the storage engine's and our own.
type bothLocks struct{ engine, own io.Closer }

func (b bothLocks) Close() error { return errors.Join(b.own.Close(), b.engine.Close()) }

type nothingToClose struct{}

func (nothingToClose) Close() error { return nil }

// openReadOnly opens the storage of a directory that nobody else has open. What a crash left in the write-ahead log is replayed in memory.
func openReadOnly(dir string, disk vfs.FS) (*pebble.DB, error) {
	described, err := pebble.Peek(dir, disk)
	if err != nil {
		return nil, err
	}
	if !described.Exists {
		return nil, errNoLog
	}
	db, err := openStored(dir, readOnlyFS{disk})
	if err != nil {
		return nil, err
	}
	if err := checkFormat(db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// openStored opens the storage itself.
func openStored(dir string, disk vfs.FS) (db *pebble.DB, err error) {
	logger := &lastFault{}
	options := &pebble.Options{
		FS:                 disk,
		ReadOnly:           true,
		FormatMajorVersion: pebble.FormatValueSeparation,
		CacheSize:          cacheBytes,
		Logger:             logger,
	}
	for i := range options.Levels {
		options.Levels[i].FilterPolicy = bloom.FilterPolicy(filterBits)
	}
	defer func() {
		// Replaying a damaged write-ahead log may panic.
		if found := recover(); found != nil {
			db, err = nil, fmt.Errorf("%v: %w", found, ErrCorrupt)
		}
	}()
	db, err = pebble.Open(dir, options)
	if err != nil {
		return nil, errors.Join(err, logger.err())
	}
	return db, nil
}

// checkFormat refuses a log that a later program wrote.
func checkFormat(db *pebble.DB) error {
	value, closer, err := db.Get(formatKey())
	if err != nil {
		return fmt.Errorf("read the format: %w", err)
	}
	found := string(value)
	if err := closer.Close(); err != nil {
		return fmt.Errorf("read the format: %w", err)
	}
	if found != format {
		return fmt.Errorf("%w: its format is %q, this program knows %q", errOtherFormat, found, format)
	}
	return nil
}

// lastFault keeps what the storage engine calls fatal, which it goes on after. It is called by several goroutines.
type lastFault struct{ fault atomic.Pointer[error] }

func (*lastFault) Infof(string, ...any) {}

func (*lastFault) Errorf(string, ...any) {}

func (l *lastFault) Fatalf(form string, args ...any) {
	err := fmt.Errorf(form, args...)
	l.fault.Store(&err)
}

func (l *lastFault) err() error {
	if err := l.fault.Load(); err != nil {
		return *err
	}
	return nil
}

// readOnlyFS refuses all changes. Its lock is nobody's: the caller has made sure that it has the directory.
type readOnlyFS struct{ vfs.FS }

func (readOnlyFS) Create(name string, _ vfs.DiskWriteCategory) (vfs.File, error) {
	return nil, refused("create", name)
}

func (readOnlyFS) OpenReadWrite(name string, _ vfs.DiskWriteCategory, _ ...vfs.OpenOption) (vfs.File, error) {
	return nil, refused("open for writing", name)
}

func (readOnlyFS) ReuseForWrite(_, name string, _ vfs.DiskWriteCategory) (vfs.File, error) {
	return nil, refused("write", name)
}

func (readOnlyFS) Link(_, name string) error                 { return refused("link", name) }
func (readOnlyFS) Remove(name string) error                  { return refused("remove", name) }
func (readOnlyFS) RemoveAll(name string) error               { return refused("remove", name) }
func (readOnlyFS) Rename(name, _ string) error               { return refused("rename", name) }
func (readOnlyFS) MkdirAll(name string, _ os.FileMode) error { return refused("make", name) }
func (readOnlyFS) Lock(string) (io.Closer, error)            { return nothingToClose{}, nil }
func (f readOnlyFS) Unwrap() vfs.FS                          { return f.FS }

func refused(what, name string) error { return &fs.PathError{Op: what, Path: name, Err: errReadOnly} }
