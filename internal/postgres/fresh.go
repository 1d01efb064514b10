package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// testURLEnv names a server for tests to share, instead of one per test program.
const testURLEnv = "TIDINGS_TEST_DATABASE_URL"

// TB is what Fresh needs of a test; testing.TB and rapid's T have it.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// Fresh returns the URL of a new, empty database that is dropped when the test ends. It is a whole
// database rather than a schema, so that notifications, advisory locks and schemas that the
// code under test makes are the test's own too.
//
// All tests of one test program share one server, which keeps nothing safe on disk and is gone
// with the program. Without PostgreSQL on the machine the test fails and says what to install.
func Fresh(t TB) string {
	t.Helper()
	server, err := sharedServer()
	if err != nil {
		t.Fatalf("start a Postgres for tests: %v", err)
	}
	name := "test_" + strings.ToLower(rand.Text()[:12])
	if err := execute(server, "create database "+name); err != nil {
		t.Fatalf("make a fresh database: %v", err)
	}
	t.Cleanup(func() {
		if err := execute(server, "drop database "+name+" with (force)"); err != nil {
			t.Fatalf("drop the fresh database: %v", err)
		}
	})
	fresh, err := url.Parse(server)
	if err != nil {
		t.Fatalf("read the test server's URL: %v", err)
	}
	fresh.Path = "/" + name
	return fresh.String()
}

// sharedServer starts the test program's server once and returns its URL.
var sharedServer = sync.OnceValues(func() (string, error) {
	if given := os.Getenv(testURLEnv); given != "" {
		return given, nil
	}
	sweep()
	dir, err := os.MkdirTemp("", testDirPrefix)
	if err != nil {
		return "", fmt.Errorf("make a directory: %w", err)
	}
	server, err := Start(context.Background(), Options{Dir: dir, throwaway: true})
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	if err := leaveNothing(server, dir); err != nil {
		return "", errors.Join(err, server.Stop(), os.RemoveAll(dir))
	}
	return server.URL(), nil
})

const testDirPrefix = "tidings-test-postgres-"

// afterwards waits for the test program to end, by whatever cause, then ends the server if the
// kernel has not done so already, and removes its directory.
const afterwards = `cat; kill -QUIT "$1"; n=0
while kill -0 "$1" && [ $n -lt 200 ]; do n=$((n+1)); sleep 0.05; done
rm -rf "$2"`

// leaveNothing starts a small program that outlives the test program to clean up behind it: a
// test program has no end of its own that a package could hook into, and may be killed.
func leaveNothing(server *Server, dir string) error {
	reader, writer, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	pid := strconv.Itoa(server.process.cmd.Process.Pid)
	//nolint:gosec,noctx // a constant script, and it must outlive everything here
	cleaner := exec.Command("/bin/sh", "-c", afterwards, "sh", pid, dir)
	cleaner.Stdin = reader
	cleaner.Dir = "/"
	cleaner.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is not for it
	if err := cleaner.Start(); err != nil {
		return errors.Join(fmt.Errorf("start the cleaner: %w", err), reader.Close(), writer.Close())
	}
	keepOpen = writer
	return reader.Close()
}

// keepOpen is closed by the end of the process and by nothing else. It is only ever written: what
// counts is that it is reachable, or the collector would close it.
var keepOpen *os.File //nolint:unused // see above

// sweep removes what test programs left whose cleaner was killed too. Best effort: another
// program may be sweeping as well.
func sweep() {
	const settled = 10 * time.Minute // younger ones may not have taken their lock yet
	left, err := filepath.Glob(filepath.Join(os.TempDir(), testDirPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range left {
		info, err := os.Stat(dir)
		if err != nil || time.Since(info.ModTime()) < settled {
			continue
		}
		if lock, err := tryLock(filepath.Join(dir, "lock")); err == nil {
			_ = os.RemoveAll(dir)
			_ = lock.Close()
		}
	}
}

// execute runs one statement on a connection of its own.
func execute(server, statement string) (err error) {
	const patience = 30 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	if _, err = conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}
