package eventlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// memTableBytes times memTables bounds what is replayed when the log is opened after a kill: well under a second.
	memTableBytes = 16 << 20
	memTables     = 4
	cacheBytes    = 64 << 20
	// filterBits per key: 1 % of the look-ups of what does not exist (every new stream, every new id) touch a block.
	filterBits = 10
)

func openStorage(dir string, o Options, l *Log) (*pebble.DB, error) {
	filesystem := o.FS
	if filesystem == nil {
		filesystem = vfs.Default
	}
	if err := filesystem.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make the directory: %w", err)
	}
	lock, err := pebble.LockDirectory(dir, filesystem)
	if err != nil {
		if held(err) {
			err = fmt.Errorf("%w (%w)", ErrInUse, err)
		}
		return nil, fmt.Errorf("lock the directory: %w", err)
	}
	options := &pebble.Options{
		FS:                          filesystem,
		Lock:                        lock,
		FormatMajorVersion:          pebble.FormatValueSeparation,
		CacheSize:                   cacheBytes,
		MemTableSize:                memTableBytes,
		MemTableStopWritesThreshold: memTables,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       32,
		Logger:                      engineLogger{log: l, to: o.Logger},
	}
	for i := range options.Levels {
		options.Levels[i].FilterPolicy = bloom.FilterPolicy(filterBits)
	}
	db, err := pebble.Open(dir, options)
	// The database holds its own reference to the lock.
	if closeErr := lock.Close(); err == nil && closeErr != nil {
		err = closeErr
	}
	if err != nil {
		return nil, err
	}
	return db, nil
}

// engineLogger hands the storage engine's faults on. A fatal one stops appends instead of the process: the engine calls Fatalf for a
// write that failed, and readers still have a use for what is there.
type engineLogger struct {
	log *Log
	to  *slog.Logger
}

func (engineLogger) Infof(string, ...any) {}

func (e engineLogger) Errorf(form string, args ...any) { e.write(slog.LevelError, form, args) }

func (e engineLogger) Fatalf(form string, args ...any) {
	e.write(slog.LevelError, form, args)
	cause := fmt.Errorf(form, args...)
	for _, arg := range args {
		if err, ok := arg.(error); ok {
			cause = fmt.Errorf("storage engine: %w", err)
		}
	}
	_ = e.log.fail(cause) // the committer asks for it
}

func (e engineLogger) write(level slog.Level, form string, args []any) {
	if e.to != nil {
		e.to.Log(context.Background(), level, "storage engine", "message", fmt.Sprintf(form, args...))
	}
}

// held tells whether a lock could not be had because somebody has it: another process, or this one.
func held(err error) bool {
	return errors.Is(err, syscall.EAGAIN) || strings.Contains(err.Error(), "held by current process")
}
