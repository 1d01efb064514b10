package eventlog

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// look judges a directory before the storage engine opens it for writing, which changes it: what is not whole must stay as it is, for
// whoever repairs it or finds the missing file. It fails with *Lost or ErrCorrupt.
func look(disk vfs.FS, dir string, known mark, end walEnd) error {
	if err := checkNamed(disk, dir); err != nil {
		return err
	}
	if end.last >= known.acknowledged {
		return nil // it ends where it should, and the engine does not mind an older end
	}
	db, err := openReadOnly(dir, disk)
	if err != nil {
		return corrupt(err)
	}
	last, err := lastKey(db, spaceLog)
	if err = errors.Join(err, db.Close()); err != nil {
		return corrupt(err)
	}
	var head Position
	if last != nil {
		if head, err = positionOfKey(last); err != nil {
			return err
		}
	}
	if head < known.acknowledged {
		return &Lost{Acknowledged: known.acknowledged, Head: head, Torn: end.torn}
	}
	return nil
}

// corrupt makes what the storage engine finds our kind of error.
func corrupt(err error) error {
	if pebble.IsCorruptionError(err) && !errors.Is(err, ErrCorrupt) {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}

// checkNamed makes sure that the files of a log are named by a manifest. Where none is, the storage engine takes the directory for a new
// one, and removes them.
func checkNamed(disk vfs.FS, dir string) error {
	described, err := pebble.Peek(dir, disk)
	if err != nil || described.Exists {
		return corrupt(err)
	}
	names, err := disk.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".log") || strings.HasSuffix(name, tableSuffix) {
			return fmt.Errorf("%s is there, but not the file marker.manifest.* that every log has: %w", name, ErrCorrupt)
		}
	}
	return nil
}

// cutOff takes what follows the last whole append from the newest write-ahead log, where there is more damage than the storage engine
// overlooks. The damaged file stays beside it.
func cutOff(disk vfs.FS, end walEnd) error {
	const aside, part = ".damaged", ".cut"
	whole, err := readFrom(disk, end.path, 0)
	if err != nil {
		return err
	}
	err = vfs.LinkOrCopy(disk, end.path, end.path+aside)
	if err != nil {
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
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := disk.Rename(end.path+part, end.path); err != nil {
		return err
	}
	return syncDir(disk, disk.PathDir(end.path))
}
