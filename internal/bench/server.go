package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// build makes the real binary in a directory that clean removes.
func build(ctx context.Context) (binary string, clean func(), err error) {
	dir, err := os.MkdirTemp("", "tidings-bench-")
	if err != nil {
		return "", nil, err
	}
	clean = func() { _ = os.RemoveAll(dir) } // leaves at worst a temporary directory
	binary = filepath.Join(dir, "tidings")
	fmt.Fprintln(os.Stderr, "building …")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/tidings").CombinedOutput()
	if err != nil {
		clean()
		return "", nil, fmt.Errorf("build: %w: %s", err, out)
	}
	return binary, clean, nil
}

// server is a process that serves until stopped, with data of its own.
type server struct {
	URL string
	cmd *exec.Cmd
	dir string
}

// start runs a program with arguments and waits for its line "ready URL".
func start(ctx context.Context, program string, args ...string) (*server, error) {
	dir, err := os.MkdirTemp("", "tidings-bench-data-")
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	cmd.Stderr = log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{cmd: cmd, dir: dir}
	ready := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if url, ok := strings.CutPrefix(lines.Text(), "ready "); ok {
				ready <- url
			}
		}
	}()
	select {
	case s.URL = <-ready:
		return s, nil
	case <-time.After(time.Minute):
	case <-ctx.Done():
	}
	text, _ := os.ReadFile(log.Name()) // for the message alone
	return nil, errors.Join(fmt.Errorf("%s %s did not get ready: %s", program, strings.Join(args, " "), text), s.stop())
}

func (s *server) stop() error {
	defer func() { _ = os.RemoveAll(s.dir) }() // leaves at worst a temporary directory
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	var exit *exec.ExitError
	if err := s.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return err
	}
	return nil
}

// kill ends the process without a warning.
func (s *server) kill() error {
	defer func() { _ = os.RemoveAll(s.dir) }() // leaves at worst a temporary directory
	if err := s.cmd.Process.Kill(); err != nil {
		return err
	}
	_ = s.cmd.Wait() // it was killed
	return nil
}

// usage is what the process has used so far.
func (s *server) usage() (cpu time.Duration, rss int64) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, 0
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	var user, system, pages int64
	_, _ = fmt.Sscan(fields[11], &user)
	_, _ = fmt.Sscan(fields[12], &system)
	_, _ = fmt.Sscan(fields[21], &pages)
	const tick = time.Second / 100 // USER_HZ, fixed on Linux
	return time.Duration(user+system) * tick, pages * int64(os.Getpagesize())
}
