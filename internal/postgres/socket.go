package postgres

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
)

// socketPathBytes is what the smallest of the systems takes, without the closing zero.
const socketPathBytes = 103

// plainPath has nothing that a connection string would take for more than a path: clients read
// a comma as the start of another host.
var plainPath = regexp.MustCompile(`^[A-Za-z0-9/._-]+$`)

// socketDir returns a path by which clients find the socket: the directory itself, or a link to
// it with a short, plain path when its own is too long, or too odd, to connect to.
func (d *directory) socketDir(port int) (string, error) {
	name := ".s.PGSQL." + strconv.Itoa(port)
	if len(filepath.Join(d.path, name)) <= socketPathBytes && plainPath.MatchString(d.path) {
		return d.path, nil
	}
	sum := sha256.Sum256([]byte(d.path))
	short := filepath.Join(shortTemp(), "tidings-"+hex.EncodeToString(sum[:6]))
	if err := ownPrivate(short); err != nil {
		return "", err
	}
	d.short = short
	link := filepath.Join(short, "pg")
	if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("remove the old short path: %w", err)
	}
	if err := os.Symlink(d.path, link); err != nil {
		return "", fmt.Errorf("make a short path to the socket: %w", err)
	}
	if path := filepath.Join(link, name); len(path) > socketPathBytes {
		return "", fmt.Errorf("the socket's path %s is longer than %d bytes", path, socketPathBytes)
	}
	return link, nil
}

// shortTemp is the directory for temporary files, or /tmp when that is itself long.
func shortTemp() string {
	const room = 40 // for the names below it
	if temp := os.TempDir(); len(temp) <= socketPathBytes-room {
		return temp
	}
	return "/tmp"
}

// ownPrivate makes a directory that only we may enter, and refuses one that somebody else put
// there.
func ownPrivate(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("make a private directory: %w", err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("look at the private directory: %w", err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || info.Mode().Perm() != 0o700 || int(owner.Uid) != os.Geteuid() {
		return fmt.Errorf("%s is not our private directory: remove it", path)
	}
	return nil
}
