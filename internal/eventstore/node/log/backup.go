package eventlog

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
)

// BackupOptions of one backup. The zero value is right for most.
type BackupOptions struct {
	// Link shares the table files with the log, where the file system can, in place of copying them: it takes no time and no room, and
	// damage to such a file damages both. It is for a backup that is copied elsewhere at once.
	Link bool
	// Progress is told of StepCopy; nil: nobody is.
	Progress Progress
}

// StepCopy is the step of a backup and of a restore that takes time, in bytes.
const StepCopy = "copy"

// ErrOccupied answers a backup to, or a restore into, a directory that has something in it.
var ErrOccupied = errors.New("the directory is not empty")

const (
	// partialSuffix is where a backup or restore is written until it is whole.
	partialSuffix = ".partial"
	// incompleteFile is in a directory that is being written, and locked while somebody does.
	incompleteFile = "INCOMPLETE"
	// stagePrefix begins the names of directories inside the log's in which a backup holds the log as it was.
	stagePrefix = "backup-"
	// stageBytes is room for what a backup writes into the log's own directory, besides the write-ahead log.
	stageBytes = 32 << 20
)

// Backup writes a copy of the log, as it is at one moment, into a directory that must not exist, or be empty, and whose parent must
// exist; appends go on meanwhile. It has everything that was acknowledged before the call, and of each append all events or none. Until it
// is whole and durable it is at dest with ".partial" appended; what an interrupted one left there, the next to the same place removes.
// When it fails, or ctx ends, nothing is left. Close waits for it: end ctx first.
func (l *Log) Backup(ctx context.Context, dest string, o BackupOptions) (*Manifest, error) {
	l.open.RLock()
	defer l.open.RUnlock()
	if l.closed {
		return nil, ErrClosed
	}
	manifest, err := l.backup(ctx, dest, o)
	if err != nil {
		return nil, fmt.Errorf("back up the event log to %s: %w", dest, err)
	}
	return manifest, nil
}

func (l *Log) backup(ctx context.Context, dest string, o BackupOptions) (_ *Manifest, err error) {
	disk, dir := l.space.fs, l.space.dir
	dest = strings.TrimRight(dest, "/")
	if err := checkOutside(disk, dest, dir); err != nil {
		return nil, err
	}
	target, err := claim(disk, dest)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, target.abandon()) }() // nothing to do once it has been finished

	least := mark{acknowledged: l.Head(), floor: l.marker.mark.floor}
	stage := disk.PathJoin(dir, stagePrefix+uuid.NewString())
	defer func() { err = errors.Join(err, disk.RemoveAll(stage)) }()
	if err := l.hold(stage); err != nil {
		return nil, err
	}
	copied, err := copyStage(ctx, disk, stage, target.partial, o)
	if err != nil {
		return nil, err
	}
	// The next backup may begin; and what is held here need not be, while the rest is done.
	if err := disk.RemoveAll(stage); err != nil {
		return nil, err
	}
	head, err := settle(disk, target.partial, least)
	if err != nil {
		return nil, fmt.Errorf("open what was copied: %w", err)
	}
	manifest := &Manifest{Format: backupFormat, Log: format, Head: head, Created: l.now().UTC().Truncate(time.Second)}
	if manifest.Files, err = describeFiles(ctx, disk, target.partial, copied); err != nil {
		return nil, err
	}
	if err := manifest.write(disk, target.partial); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return manifest, target.finish()
}

// hold makes stage the log as it is now: tables are linked, so that they stay when the log drops them, the rest is copied.
func (l *Log) hold(stage string) error {
	needed := clamp(l.db.Metrics().WAL.PhysicalSize) + stageBytes
	usage, err := l.space.fs.GetDiskUsage(l.space.dir)
	if err == nil && clamp(usage.AvailBytes) < needed {
		return fmt.Errorf("%w: a backup needs %d MiB beside the log, %d are free", ErrFull, needed/mebibyte, clamp(usage.AvailBytes)/mebibyte)
	}
	if err := l.db.Checkpoint(stage, pebble.WithFlushedWAL()); err != nil {
		return fmt.Errorf("hold the log: %w", err)
	}
	// The storage engine reports a failed write to its logger and then returns as if all were well.
	return l.failure()
}

// copyStage copies all files; it answers the digests of the tables, which nobody changes.
func copyStage(ctx context.Context, disk vfs.FS, stage, to string, o BackupOptions) (map[string]File, error) {
	names, err := disk.List(stage)
	if err != nil {
		return nil, err
	}
	files, total := make([]File, len(names)), int64(0)
	for i, name := range names {
		info, err := disk.Stat(disk.PathJoin(stage, name))
		if err != nil {
			return nil, err
		}
		files[i] = File{Name: name, Bytes: info.Size()}
		total += info.Size()
	}
	if err := checkRoom(disk, to, total); err != nil && !o.Link {
		return nil, err
	}
	progress := &copyProgress{tell: o.Progress, total: total}
	tables := map[string]File{}
	for _, file := range files {
		from, into := disk.PathJoin(stage, file.Name), disk.PathJoin(to, file.Name)
		table := strings.HasSuffix(file.Name, tableSuffix)
		var done File
		if o.Link && table && disk.Link(from, into) == nil { // where it cannot be linked it is copied
			done, err = digestFile(ctx, disk, into, progress)
		} else {
			done, err = copyFile(ctx, disk, from, into, progress)
		}
		if err != nil {
			return nil, fmt.Errorf("copy %s: %w", file.Name, err)
		}
		if table {
			tables[file.Name] = done
		}
	}
	return tables, nil
}

// settle opens the copy once: what the log had only in its write-ahead log goes into tables, the end of a write that was under way
// is cut off, and it is shown that it can be opened.
func settle(disk vfs.FS, dir string, least mark) (Position, error) {
	if err := writeMark(disk, dir, least); err != nil {
		return 0, err
	}
	l, err := Open(dir, Options{FS: disk, settles: true})
	if err != nil {
		return 0, err
	}
	head := l.Head()
	err = l.Close()
	return head, errors.Join(err, l.failure(), disk.Remove(disk.PathJoin(dir, lockFile)))
}

// checkOutside refuses a place inside the log's own directory.
func checkOutside(disk vfs.FS, dest, dir string) error {
	if dest == "" {
		return fmt.Errorf("no directory is given: %w", ErrInvalid)
	}
	inside, err := within(disk, dest, dir)
	if err == nil && inside {
		return fmt.Errorf("it is inside the log's own directory %s: %w", dir, ErrInvalid)
	}
	return err
}

func within(disk vfs.FS, path, dir string) (bool, error) {
	path, err := realPath(disk, path)
	if err != nil {
		return false, err
	}
	if dir, err = realPath(disk, dir); err != nil {
		return false, err
	}
	return path == dir || strings.HasPrefix(path, dir+string(filepath.Separator)), nil
}

// realPath is the absolute path without links of something that need not be there, in a directory that is.
func realPath(disk vfs.FS, path string) (string, error) {
	if vfs.Root(disk) != vfs.Default {
		return filepath.Clean(path), nil
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target, nil
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(path))
	return filepath.Join(parent, filepath.Base(path)), err
}

// removeStages removes what backups that were interrupted left in a log's directory. Nobody else may have it open.
func removeStages(disk vfs.FS, dir string) error {
	names, err := disk.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasPrefix(name, stagePrefix) {
			if err := disk.RemoveAll(disk.PathJoin(dir, name)); err != nil {
				return fmt.Errorf("remove what a backup left: %w", err)
			}
		}
	}
	return nil
}
