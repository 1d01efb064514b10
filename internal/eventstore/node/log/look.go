package eventlog

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"
)

// contents is what a directory that is not open holds.
type contents struct {
	head Position
	end  walEnd
}

// look judges a directory before the storage engine opens it for writing, which changes it: what is not whole must stay as it is, for
// whoever repairs it or finds the missing file. It fails with ErrCorrupt when events are missing below the head: the storage engine
// itself overlooks a write-ahead log that is missing or cut, and the cut end of a manifest.
func look(disk vfs.FS, dir string) (contents, error) {
	exists, err := isNamed(disk, dir)
	if err != nil || !exists {
		return contents{}, corrupt(err)
	}
	head, known, err := lookAtTables(disk, dir)
	if err != nil {
		return contents{}, corrupt(err)
	}
	w := &walLook{gaps: known, head: head}
	logs, err := wal.Scan(wal.Dir{FS: disk, Dirname: dir})
	if err != nil {
		return contents{}, fmt.Errorf("look for write-ahead logs: %w", err)
	}
	var end walEnd
	for _, log := range logs {
		if end, err = w.log(log); err != nil {
			return contents{}, fmt.Errorf("%s: %w", end.path, err)
		}
	}
	if err := end.judge(disk); err != nil {
		return contents{}, err
	}
	return contents{head: w.head, end: end}, nil
}

// isNamed tells whether there is a log. Where its files are and no manifest is named, the storage engine would take the directory for a
// new one, and remove them.
func isNamed(disk vfs.FS, dir string) (bool, error) {
	described, err := pebble.Peek(dir, disk)
	if err != nil || described.Exists {
		return err == nil, err
	}
	names, err := disk.List(dir)
	if err != nil {
		return false, err
	}
	for _, name := range names {
		if strings.HasSuffix(name, walSuffix) || strings.HasSuffix(name, tableSuffix) {
			return false, fmt.Errorf("%s is there, but not the file marker.manifest.* that every log has: %w", name, ErrCorrupt)
		}
	}
	return false, nil
}

// lookAtTables finds the last event that is in a table, and the gaps.
func lookAtTables(disk vfs.FS, dir string) (Position, gaps, error) {
	db, err := openStored(dir, withoutWAL{readOnlyFS{disk}})
	if err != nil {
		return 0, nil, err
	}
	if err := checkFormat(db); err != nil && !isNotFound(err) { // it may be in a write-ahead log yet
		return 0, nil, errors.Join(err, db.Close())
	}
	known, err := readGaps(db)
	var last []byte
	if err == nil {
		last, err = lastKey(db, spaceLog)
	}
	if err = errors.Join(err, db.Close()); err != nil || last == nil {
		return 0, known, err
	}
	head, err := positionOfKey(last)
	return head, known, err
}

// withoutWAL shows what is in tables alone, without the time that replaying the write-ahead logs takes.
type withoutWAL struct{ readOnlyFS }

func (f withoutWAL) List(dir string) ([]string, error) {
	names, err := f.readOnlyFS.List(dir)
	var kept []string
	for _, name := range names {
		if !strings.HasSuffix(name, walSuffix) {
			kept = append(kept, name)
		}
	}
	return kept, err
}

// walLook follows the positions through the write-ahead logs.
type walLook struct {
	gaps gaps
	head Position
}

// log reads one. It may be older than the tables.
func (w *walLook) log(log wal.LogicalLog) (walEnd, error) {
	end, err := readWAL(log, func(text []byte) error {
		first, last, err := w.gaps.positions(text)
		if err != nil || last <= w.head {
			return err
		}
		if first > w.head && !w.gaps.follows(w.head, first) {
			return fmt.Errorf("the events at positions %d to %d are missing before it: %w", w.head+1, first-1, ErrCorrupt)
		}
		w.head = last
		return nil
	})
	return end, err
}

// positions are the first and the last in a commit, 0 when it has no events. Its gaps are noted.
func (g gaps) positions(commit []byte) (first, last Position, err error) {
	for entries := batchrepr.Read(commit); ; {
		_, key, value, ok, err := entries.Next()
		if err != nil {
			return 0, 0, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		if !ok {
			return first, last, nil
		}
		if err := g.note(key, value); err != nil {
			return 0, 0, err
		}
		if len(key) == 0 || key[0] != spaceLog {
			continue
		}
		if last, err = positionOfKey(key); err != nil {
			return 0, 0, err
		}
		if first == 0 {
			first = last
		}
	}
}

// corrupt makes what the storage engine finds when it opens a directory our kind of error, unless it is the file system's: a file that is
// missing is corruption, one that cannot be read is not.
func corrupt(err error) error {
	if err == nil || errors.Is(err, ErrCorrupt) || errors.Is(err, errOtherFormat) {
		return err
	}
	if path := (*fs.PathError)(nil); errors.As(err, &path) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrCorrupt, err)
}

// cutOff takes what follows the last whole append from the newest write-ahead log, where there may be more damage than the storage engine
// overlooks. The damaged file stays beside it.
func cutOff(disk vfs.FS, end walEnd) error {
	const aside, part = ".damaged", ".cut"
	whole, err := readFrom(disk, end.path, 0)
	if err != nil {
		return err
	}
	if err := vfs.LinkOrCopy(disk, end.path, end.path+aside); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	file, err := disk.Create(end.path+part, fileCategory)
	if err != nil {
		return err
	}
	_, err = file.Write(whole[:end.offset])
	if err == nil {
		err = file.Sync()
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := disk.Rename(end.path+part, end.path); err != nil {
		return err
	}
	return syncDir(disk, disk.PathDir(end.path))
}
