package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// directory is a private directory that this process holds the lock of:
//
//	lock        held while a process uses the directory
//	pgdata/     the cluster
//	pg_hba.conf who may connect
//	port, password   for TCP, kept so that a URL outlives a restart
//	.s.PGSQL.*  the socket
type directory struct {
	path    string
	lock    *os.File
	self    *os.File // the directory itself, for a server that may not walk to it; nil when not needed
	account *account // who the server runs as; nil for ourselves
	short   string   // a short way to a socket whose own path is too long; empty when not needed
}

// openDirectory makes the directory when missing, takes its lock and hands it to the account
// that the server will run as.
func openDirectory(ctx context.Context, path string) (*directory, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("make the path absolute: %w", err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory: %w", err)
	}
	d := &directory{path: path}
	if d.lock, err = takeLock(ctx, filepath.Join(path, "lock")); err != nil {
		return nil, err
	}
	if err := d.handOver(); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// handOver gives the directory to an unprivileged account when we are root, because Postgres
// refuses to run as root.
func (d *directory) handOver() error {
	if err := os.Chmod(d.path, 0o700); err != nil { //nolint:gosec // a directory must be entered
		return fmt.Errorf("make the directory private: %w", err)
	}
	if os.Geteuid() != 0 {
		return nil
	}
	who, err := accountFor(cluster(d.path))
	if err != nil {
		return err
	}
	d.account = who
	if err := d.giveAway(d.path); err != nil {
		return err
	}
	if descriptorPaths {
		d.self, err = os.Open(d.path)
		if err != nil {
			return fmt.Errorf("open the directory: %w", err)
		}
	}
	return nil
}

// close gives the directory back: what it holds stays.
func (d *directory) close() error {
	var errs []error
	if d.short != "" {
		errs = append(errs, os.RemoveAll(d.short))
	}
	if d.self != nil {
		errs = append(errs, d.self.Close())
	}
	if d.lock != nil {
		errs = append(errs, d.lock.Close())
	}
	return errors.Join(errs...)
}

// seen is the directory's path as the server sees it.
func (d *directory) seen() string {
	if d.self != nil {
		return "/proc/self/fd/3" // the first file given along
	}
	return d.path
}

// command prepares a program that runs as the server's account and ends with this process.
func (d *directory) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // the path is one we found or were told by the operator
	cmd.Dir = "/"                                     // one that every account may enter
	cmd.Env = serverEnvironment()
	cmd.SysProcAttr = attributes(d.account)
	if d.self != nil {
		cmd.ExtraFiles = []*os.File{d.self}
	}
	return cmd
}

// serverEnvironment passes on what finding libraries needs and nothing else: PG* variables
// would change the server, and secrets are not its business.
func serverEnvironment() []string {
	env := []string{"LC_ALL=C", "TZ=UTC"}
	for _, name := range []string{"PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// giveAway makes the server's account the owner of path.
func (d *directory) giveAway(path string) error {
	if d.account == nil {
		return nil
	}
	if err := os.Chown(path, d.account.uid, d.account.gid); err != nil {
		return fmt.Errorf("give %s to the account of Postgres: %w", path, err)
	}
	return nil
}

// write writes a file that the server can read and nobody else.
func (d *directory) write(name, text string) error {
	path := filepath.Join(d.path, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return d.giveAway(path)
}

// read returns a file written before, or nothing.
func (d *directory) read(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(d.path, name)) //nolint:gosec // names are constants of this package
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return strings.TrimSpace(string(text)), nil
}

// endOrphan ends a server whose process died without it, and removes the lock file of one that
// is long gone but whose process id is in use again. As we hold the directory's lock, no
// living owner can be meant.
func (d *directory) endOrphan(ctx context.Context) error {
	pidFile := filepath.Join(cluster(d.path), "postmaster.pid")
	text, err := os.ReadFile(pidFile) //nolint:gosec // inside the private directory
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the server's lock file: %w", err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid <= 0 || !alive(pid) {
		return nil //nolint:nilerr // torn or stale: Postgres itself deals with it
	}
	if !isServerOf(pid, cluster(d.path)) {
		if err := os.Remove(pidFile); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove the stale lock file: %w", err)
		}
		return nil
	}
	return endServer(ctx, pid, cluster(d.path))
}

// endServer ends a server that is not our child. One that is dead but whose new parent does not
// collect it has ended as well.
func endServer(ctx context.Context, pid int, cluster string) error {
	for _, step := range []struct {
		signal   syscall.Signal
		patience time.Duration
	}{{syscall.SIGINT, stopPatience}, {syscall.SIGQUIT, quitPatience}} {
		if err := syscall.Kill(pid, step.signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("signal process %d: %w", pid, err)
		}
		for until := time.Now().Add(step.patience); time.Now().Before(until); {
			if !isServerOf(pid, cluster) {
				return nil
			}
			if err := pause(ctx); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("process %d does not end", pid)
}
