package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// errInUse says that another living process owns the directory.
var errInUse = errors.New("another process is using this directory")

// lockWait covers a process that was just killed and has not closed its files yet.
const lockWait = 2 * time.Second

// takeLock takes the lock that ends with this process, however that ends.
func takeLock(ctx context.Context, path string) (*os.File, error) {
	for until := time.Now().Add(lockWait); ; {
		file, err := tryLock(path)
		if !errors.Is(err, errInUse) || time.Now().After(until) {
			return file, err
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

func tryLock(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // inside the private directory
	if err != nil {
		return nil, fmt.Errorf("open the lock file: %w", err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return file, nil
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = errInUse
	}
	return nil, errors.Join(err, file.Close())
}
