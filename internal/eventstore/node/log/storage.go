package eventlog

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// memTableBytes times memTables bounds what is replayed when the log is opened after a kill: well under a second.
	memTableBytes = 16 << 20
	memTables     = 4
	cacheBytes    = 64 << 20
	// flushesMerged tables in memory become tables on disk before they are merged into the others, and the level they are merged into
	// holds baseBytes. Names and ids are random, so each merge rewrites most of that level: merging 12 at once instead of 4 takes a
	// fifth off the CPU of an append. A look-up asks that many more filters.
	flushesMerged = 12
	baseBytes     = 256 << 20
	// mergedBytes is a table's size in the first merged level; it doubles from level to level.
	mergedBytes = 4 << 20
	// filterBits per key: 1 % of the look-ups of what does not exist (every new stream, every new id) touch a block.
	filterBits = 10
	// pauseAfterFailure keeps the engine from trying a flush that fails again and again without a breath.
	pauseAfterFailure = 100 * time.Millisecond
)

// lockPatience is for a process that was killed and is not gone yet: its last sync may take a while.
const lockPatience = time.Second

func lockDirectory(dir string, disk vfs.FS, patience time.Duration) (*pebble.Lock, error) {
	if err := makeDirectory(dir, disk); err != nil {
		return nil, fmt.Errorf("make the directory: %w", err)
	}
	lock, err := pebble.LockDirectory(dir, disk)
	for until := time.Now().Add(patience); err != nil && held(err) && time.Now().Before(until); {
		time.Sleep(patience / 20)
		lock, err = pebble.LockDirectory(dir, disk)
	}
	if err != nil {
		if held(err) {
			err = fmt.Errorf("%w (%w)", ErrInUse, err)
		}
		return nil, fmt.Errorf("lock the directory: %w", err)
	}
	return lock, nil
}

// makeDirectory makes a directory and its parents, durably.
func makeDirectory(dir string, disk vfs.FS) error {
	var missing []string
	for d := disk.PathJoin(dir); ; d = disk.PathDir(d) {
		if _, err := disk.Stat(d); err == nil || d == disk.PathDir(d) {
			break
		}
		missing = append(missing, d)
	}
	if err := disk.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	for _, d := range missing {
		if err := syncDir(disk, disk.PathDir(d)); err != nil {
			return err
		}
	}
	return nil
}

func openStorage(dir string, o Options, lock *pebble.Lock, l *Log) (db *pebble.DB, err error) {
	engine := engineLogger{l}
	disk := newHaltingDisk(vfs.OnDiskFull(o.FS, l.space.wait), dir, engine.halted)
	options := &pebble.Options{
		FS:                          disk,
		Lock:                        lock,
		FormatMajorVersion:          pebble.FormatValueSeparation,
		CacheSize:                   cacheBytes,
		MemTableSize:                memTableBytes,
		MemTableStopWritesThreshold: memTables,
		L0CompactionThreshold:       flushesMerged,
		L0StopWritesThreshold:       5 * flushesMerged,
		LBaseMaxBytes:               baseBytes,
		DisableAutomaticCompactions: o.settles,
		Logger:                      engine,
		EventListener: &pebble.EventListener{
			BackgroundError: engine.backgroundError,
			DataCorruption:  func(info pebble.DataCorruptionInfo) { engine.Errorf("%s", info) }, // whoever reads it is told
		},
	}
	// One table a flush: a look-up of a random name opens a table for each part that a flush was split into.
	options.TargetFileSizes[0] = memTableBytes
	for i := range options.TargetFileSizes[1:] {
		options.TargetFileSizes[i+1] = mergedBytes << i
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
	if cause := disk.err(); cause != nil {
		cause = fmt.Errorf("storage engine: %w", cause)
		if err == nil {
			err = db.Close()
		}
		return nil, errors.Join(cause, err)
	}
	if err != nil {
		if pebble.IsCorruptionError(err) {
			err = fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		return nil, err
	}
	disk.opened.Store(true)
	return db, nil
}

// engineLogger hands the storage engine's faults on. A fatal one stops appends instead of the process: the engine calls Fatalf for a
// write that failed, and readers still have a use for what is there.
type engineLogger struct{ log *Log }

func (engineLogger) Infof(string, ...any) {}

func (e engineLogger) Errorf(form string, args ...any) { e.write(form, args) }

func (e engineLogger) Fatalf(form string, args ...any) {
	e.write(form, args)
	cause := fmt.Errorf(form, args...)
	for _, arg := range args {
		if err, ok := arg.(error); ok {
			cause = fmt.Errorf("storage engine: %w", err)
		}
	}
	_ = e.log.fail(cause) // the committer asks for it
}

// halted is told of a failed write that the engine itself may not hear of.
func (e engineLogger) halted(err error) {
	e.write("nothing more is written: %v", []any{err})
	_ = e.log.fail(fmt.Errorf("storage engine: %w", err)) // the committer asks for it
}

// backgroundError is told of a flush or compaction that failed, and will be tried again at once. What is written could not be kept
// in memory for long, so appends end here too.
func (e engineLogger) backgroundError(err error) {
	if e.log.failure() != nil {
		time.Sleep(pauseAfterFailure)
		return
	}
	e.write("in the background: %v", []any{err})
	_ = e.log.fail(fmt.Errorf("storage engine, in the background: %w", err)) // the committer asks for it
}

func (e engineLogger) write(form string, args []any) {
	e.log.logger.Error("storage engine", "message", fmt.Sprintf(form, args...))
}

// held tells whether a lock could not be had because somebody has it: another process, or this one.
func held(err error) bool {
	return errors.Is(err, syscall.EAGAIN) || strings.Contains(err.Error(), "held by current process")
}
