package eventlog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// holdDirectory keeps others out of a directory beside the storage engine's file LOCK, which somebody may take for litter and remove: it
// locks the directory itself (flock, until what it returns is closed or the process dies).
func holdDirectory(dir string, disk vfs.FS) (io.Closer, error) {
	if vfs.Root(disk) != vfs.Default {
		return nothingToClose{}, nil
	}
	handle, err := os.Open(dir) //nolint:gosec // the directory that the operator named
	if err != nil {
		return nil, fmt.Errorf("hold the directory: %w", err)
	}
	err = syscall.Flock(int(handle.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, errors.Join(fmt.Errorf("%w: it holds the directory", ErrInUse), handle.Close())
	case errors.Is(err, syscall.ENOTSUP), errors.Is(err, syscall.ENOSYS), errors.Is(err, syscall.EBADF), errors.Is(err, syscall.EINVAL):
		return handle, nil // a file system that knows no such locks; LOCK is there
	case err != nil:
		return nil, errors.Join(fmt.Errorf("hold the directory: %w", err), handle.Close())
	}
	return handle, nil
}
