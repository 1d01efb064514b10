package eventlog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// claimed is a directory being written beside the place where it shall be, so that what is there is whole.
type claimed struct {
	disk    vfs.FS
	dest    string
	partial string
	lock    io.Closer
}

// claim prepares the writing of dest. What an interrupted writing left is removed; what is not recognized as that, or is being written
// by somebody else, is an error.
func claim(disk vfs.FS, dest string) (*claimed, error) {
	dest, err := resolve(disk, dest)
	if err != nil {
		return nil, err
	}
	if err := checkVacant(disk, dest); err != nil {
		return nil, err
	}
	if _, err := disk.Stat(disk.PathDir(dest)); err != nil {
		return nil, err
	}
	c := &claimed{disk: disk, dest: dest, partial: dest + partialSuffix}
	left, err := disk.List(c.partial)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if !leftover(left) {
		return nil, fmt.Errorf("%s is in the way, and no backup or restore left it: remove it: %w", c.partial, ErrOccupied)
	}
	if err := disk.MkdirAll(c.partial, 0o750); err != nil {
		return nil, err
	}
	if c.lock, err = disk.Lock(disk.PathJoin(c.partial, incompleteFile)); err != nil {
		if held(err) {
			err = fmt.Errorf("another backup or restore is writing %s: %w", c.partial, err)
		}
		return nil, err
	}
	// Not even the death of the machine must leave other files without the one that says what they are.
	err = syncDir(disk, c.partial)
	for _, name := range left {
		if name != incompleteFile && err == nil {
			err = disk.RemoveAll(disk.PathJoin(c.partial, name))
		}
	}
	if err != nil {
		return nil, errors.Join(err, c.lock.Close())
	}
	return c, nil
}

// checkVacant refuses a directory that has something in it.
func checkVacant(disk vfs.FS, dir string) error {
	info, err := disk.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("it is a file: %w", ErrOccupied)
	}
	names, err := disk.List(dir)
	if err != nil {
		return err
	}
	if len(names) > 0 {
		return fmt.Errorf("%w: choose one that does not exist, or move this one away", ErrOccupied)
	}
	return nil
}

// leftover tells whether a directory is nothing but what an interrupted writing left.
func leftover(names []string) bool {
	ours := len(names) == 0
	for _, name := range names {
		ours = ours || name == incompleteFile || name == manifestFile
	}
	return ours
}

// finish makes the directory appear where it shall be.
func (c *claimed) finish() error {
	err := c.lock.Close()
	c.lock = nothingToClose{}
	if err != nil {
		return err
	}
	if err := c.disk.Remove(c.disk.PathJoin(c.partial, incompleteFile)); err != nil {
		return err
	}
	if err := syncDir(c.disk, c.partial); err != nil {
		return err
	}
	if err := c.disk.Remove(c.dest); err != nil && !errors.Is(err, fs.ErrNotExist) { // it is empty
		return err
	}
	if err := c.disk.Rename(c.partial, c.dest); err != nil {
		return err
	}
	c.partial = ""
	return syncDir(c.disk, c.disk.PathDir(c.dest))
}

// abandon removes what was written, unless it has been finished.
func (c *claimed) abandon() error {
	if c.partial == "" {
		return nil
	}
	// The lock is a file in it: others may claim it only when the rest is gone.
	names, err := c.disk.List(c.partial)
	for _, name := range names {
		if name != incompleteFile {
			err = errors.Join(err, c.disk.RemoveAll(c.disk.PathJoin(c.partial, name)))
		}
	}
	return errors.Join(err, c.disk.RemoveAll(c.partial), c.lock.Close())
}
