package eventlog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// RestoreOptions of one restore. The zero value works.
type RestoreOptions struct {
	FS       vfs.FS           // nil: the operating system's
	Now      func() time.Time // nil: time.Now
	Progress Progress         // told of StepCopy, in bytes read; nil: nobody is
}

// Restored says what a restore made.
type Restored struct {
	Manifest *Manifest
	// Above is the position above which the log goes on. No position up to it has been, or will be, given to an event that is not in
	// the backup.
	Above Position
}

// Restore makes a log out of a backup, in a directory that must not exist, or be empty; the backup is not changed, and shares nothing
// with the log. Every file is compared with what the backup says of it, when it is read and once more when it is written. Until it is
// whole and durable it is at dir with ".partial" appended; what an interrupted one left there, the next to the same place removes. When it
// fails, or ctx ends, nothing is left.
func Restore(ctx context.Context, from, dir string, o RestoreOptions) (*Restored, error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	restored, err := restore(ctx, strings.TrimRight(from, "/"), strings.TrimRight(dir, "/"), o)
	if err != nil {
		return nil, fmt.Errorf("restore %s into %s: %w", from, dir, err)
	}
	return restored, nil
}

func restore(ctx context.Context, from, dir string, o RestoreOptions) (_ *Restored, err error) {
	disk := o.FS
	manifest, err := readManifest(disk, from)
	if err != nil {
		return nil, err
	}
	if err := disk.MkdirAll(disk.PathDir(dir), 0o750); err != nil {
		return nil, err
	}
	if err := checkOutside(disk, dir, from); err != nil {
		return nil, err
	}
	target, err := claim(disk, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, target.abandon()) }() // nothing to do once it has been finished
	if err := checkRoom(disk, target.partial, manifest.Bytes()); err != nil {
		return nil, err
	}
	progress := &copyProgress{tell: o.Progress, total: 2 * manifest.Bytes()}
	for _, file := range manifest.Files {
		read, err := copyFile(ctx, disk, disk.PathJoin(from, file.Name), disk.PathJoin(target.partial, file.Name), progress)
		if err != nil {
			return nil, err
		}
		if err := file.compare(read, "of the backup"); err != nil {
			return nil, err
		}
	}
	if err := syncDir(disk, target.partial); err != nil {
		return nil, err
	}
	for _, file := range manifest.Files {
		written, err := digestFile(ctx, disk, disk.PathJoin(target.partial, file.Name), progress)
		if err != nil {
			return nil, err
		}
		if err := file.compare(written, "that was written"); err != nil {
			return nil, err
		}
	}
	above, err := begin(disk, target.partial, manifest, o.Now())
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &Restored{Manifest: manifest, Above: above}, target.finish()
}

// begin has the restored log go on above every position that may have been used, and opens it once to show that it can be.
func begin(disk vfs.FS, dir string, manifest *Manifest, now time.Time) (Position, error) {
	known, _, err := readMark(disk, dir)
	if err != nil {
		return 0, err
	}
	above := aboveAll(max(known.floor, known.acknowledged, manifest.Head), now)
	if err := writeMark(disk, dir, mark{acknowledged: manifest.Head, floor: above}); err != nil {
		return 0, err
	}
	l, err := Open(dir, Options{FS: disk, settles: true})
	if err != nil {
		return 0, err
	}
	head := l.Head()
	err = l.Close()
	if err := errors.Join(err, l.failure()); err != nil {
		return 0, err
	}
	if head != manifest.Head {
		return 0, fmt.Errorf("the log ends at %d, the backup says %d: %w", head, manifest.Head, ErrCorrupt)
	}
	return above, nil
}

const (
	// positionsPerSecond is more than any log uses up.
	positionsPerSecond = 1 << 20
	// positionsApart is how far a restored log keeps off its backup if the clock is of no use.
	positionsApart = 1 << 32
)

// positionsBegin is before the first log. Positions counted from here at a million a second stay below 2⁵³, and so are exact in
// every programming language, until the year 2297.
var positionsBegin = time.Date(2025, time.January, 1, 0, 0, 0, 0, time.UTC)

// aboveAll is a position above all that were given to events since the backup, by the log it was made of or by others that were restored
// from it: those are not known here. But no log, however often it was restored, is ahead of a clock that counts a million positions a
// second, as none is that fast and each restore sets it to that clock. Should the clock be behind the log, there is a distance of 2³².
func aboveAll(known Position, now time.Time) Position {
	if seconds := int64(now.Sub(positionsBegin) / time.Second); seconds > 0 {
		if clock := Position(seconds) * positionsPerSecond; clock > known {
			return clock
		}
	}
	return (known/positionsApart + 1) * positionsApart
}

func (f File) compare(found File, which string) error {
	if f.Bytes != found.Bytes {
		return fmt.Errorf("the file %s %s has %d bytes, the backup says %d: %w", f.Name, which, found.Bytes, f.Bytes, ErrCorrupt)
	}
	if f.SHA256 != found.SHA256 {
		return fmt.Errorf("the file %s %s has the SHA-256 %s, the backup says %s: %w", f.Name, which, found.SHA256, f.SHA256, ErrCorrupt)
	}
	return nil
}
