package postgres

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// process is one run of the server program.
type process struct {
	cmd    *exec.Cmd
	logger *slog.Logger
	done   chan struct{} // closed when it has ended
	logged chan struct{} // closed when its log has been read to the end

	mu       sync.Mutex
	stopping bool     // we asked for the end
	tail     []string // its last log lines, at most tailLines
	err      error    // how it ended
}

// tailLines is enough to show why a server ended.
const tailLines = 20

// startProcess starts the server program. It owns two goroutines, which end with it.
func startProcess(dir *directory, programs binaries, settings map[string]string, logger *slog.Logger) (*process, error) {
	args := []string{"-D", cluster(dir.seen()), "-c", "hba_file=" + filepath.Join(dir.seen(), "pg_hba.conf")}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe for its log: %w", err)
	}
	// Its life is bounded by stop and by this process's own, not by a context.
	cmd := dir.command(context.Background(), programs.postgres(), args...)
	cmd.Stdout, cmd.Stderr = writer, writer
	p := &process{cmd: cmd, logger: logger, done: make(chan struct{}), logged: make(chan struct{})}
	started := make(chan error, 1)
	go p.own(started, reader)
	err = <-started
	_ = writer.Close() // the server has its own copy; ours would keep the log from ending
	if err != nil {
		return nil, errors.Join(fmt.Errorf("run %s: %w", programs.postgres(), err), reader.Close())
	}
	go p.readLog(reader)
	return p, nil
}

// own starts the program and waits for its end on one thread: the kernel ends the program with
// that thread, so it must live as long as this process.
func (p *process) own(started chan<- error, log *os.File) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := p.cmd.Start(); err != nil {
		started <- err
		return
	}
	started <- nil
	err := p.cmd.Wait()
	// Sessions that outlive the server hold the log open for a moment.
	const logPatience = 2 * time.Second
	if deadlineErr := log.SetReadDeadline(time.Now().Add(logPatience)); deadlineErr == nil {
		<-p.logged
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stopping {
		p.err = fmt.Errorf("postgres ended by itself (%w), its log says:\n%s", exitCause(err), strings.Join(p.tail, "\n"))
	}
	close(p.done)
}

func exitCause(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// readLog passes the server's log on, line by line.
func (p *process) readLog(log *os.File) {
	defer close(p.logged)
	defer func() { _ = log.Close() }() // only read from
	const lineBytes = 1 << 20          // a statement may be logged in full
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, lineBytes)
	for lines.Scan() {
		p.logger.Debug("postgres", "line", lines.Text())
		p.mu.Lock()
		if len(p.tail) == tailLines {
			p.tail = p.tail[1:]
		}
		p.tail = append(p.tail, lines.Text())
		p.mu.Unlock()
	}
}

// ending returns how the server ended, nil while it runs and when it was asked to.
func (p *process) ending() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// lockedOut tells whether the server refused to start because another one is still ending.
func (p *process) lockedOut() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.tail, func(line string) bool {
		return strings.Contains(line, "postmaster.pid") || strings.Contains(line, "pre-existing shared memory")
	})
}

// waitReady waits for the first connection that succeeds.
func (p *process) waitReady(ctx context.Context, r reach) error {
	for {
		refused := connects(ctx, r)
		if refused == nil {
			return nil
		}
		select {
		case <-p.done:
			return p.ending()
		case <-ctx.Done():
			return fmt.Errorf("wait for it to answer: %w (%w)", ctx.Err(), refused)
		case <-time.After(retryEvery):
		}
	}
}

func connects(ctx context.Context, r reach) error {
	const patience = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, r.socketURL())
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// stop ends the server: its sessions first, without them if they will not end, by force at last.
func (p *process) stop() error {
	p.mu.Lock()
	p.stopping = true
	p.mu.Unlock()
	for _, step := range []struct {
		signal   syscall.Signal
		patience time.Duration
	}{{syscall.SIGINT, stopPatience}, {syscall.SIGQUIT, quitPatience}, {syscall.SIGKILL, quitPatience}} {
		if err := p.cmd.Process.Signal(step.signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("signal: %w", err)
		}
		select {
		case <-p.done:
			return nil
		case <-time.After(step.patience):
		}
	}
	return errors.New("it does not end")
}
