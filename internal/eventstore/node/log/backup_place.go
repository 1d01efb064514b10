package eventlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// resolve is the place that a path names, for a directory that will be renamed there: where a link leads, so that the link stays and the
// directory is on the disk it was meant for. A mount point cannot be renamed onto.
func resolve(disk vfs.FS, path string) (string, error) {
	if vfs.Root(disk) != vfs.Default {
		return path, nil
	}
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		link := path
		if path, err = filepath.EvalSymlinks(link); err != nil {
			return "", fmt.Errorf("%s is a link that leads nowhere: %w", link, err)
		}
		info, err = os.Stat(path)
	}
	if err != nil {
		return "", err
	}
	parent, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	own, known := info.Sys().(*syscall.Stat_t)
	above, alsoKnown := parent.Sys().(*syscall.Stat_t)
	if known && alsoKnown && own.Dev != above.Dev {
		return "", fmt.Errorf("%s is a mount point: name a directory below it: %w", path, ErrOccupied)
	}
	return path, nil
}
