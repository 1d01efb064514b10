package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

const (
	// controlFile is the socket in the log's directory. Only the owner of the process can use it.
	controlFile = "control.sock"
	// controlPathBytes is what the name of a socket may have, on the system that allows least.
	controlPathBytes = 103

	controlRequestBytes = 64 << 10 // a path, with room
	controlLineBytes    = 1 << 20  // an answer names a hundred faults at most
	// controlPause is the longest silence: the server says something every few seconds, however long it works.
	controlPause      = 30 * time.Second
	controlAliveEach  = 5 * time.Second
	controlTellEach   = 200 * time.Millisecond
	controlStopWithin = 5 * time.Second
	// controlTurn is how long a task waits for the one before it, whose caller may have its answer a moment before it has ended.
	controlTurn = 2 * time.Second
)

// controlRequest asks for one of the operator's tasks. The unused fields are zero.
type controlRequest struct {
	To    string `json:"to,omitempty"`    // backup: an absolute path
	Link  bool   `json:"link,omitempty"`  // backup
	Count bool   `json:"count,omitempty"` // stats
}

// controlLine is one line of an answer: progress or nothing while the task goes on, then an error or the result.
type controlLine struct {
	Progress *controlProgress       `json:"progress,omitempty"`
	Error    string                 `json:"error,omitempty"`
	Backup   *backupResult          `json:"backup,omitempty"`
	Verified *eventlog.Verification `json:"verified,omitempty"`
	Stats    *eventlog.Stats        `json:"stats,omitempty"`
}

type controlProgress struct {
	Step  string `json:"step"`
	Done  int64  `json:"done"`
	Total int64  `json:"total"`
}

// backupResult is what is worth saying of a backup.
type backupResult struct {
	Head    eventlog.Position `json:"head"`
	Created time.Time         `json:"created"`
	Files   int               `json:"files"`
	Bytes   int64             `json:"bytes"`
}

func resultOf(m *eventlog.Manifest) *backupResult {
	return &backupResult{Head: m.Head, Created: m.Created, Files: len(m.Files), Bytes: m.Bytes()}
}

// control lets the operator's commands reach a log that is open: HTTP on a socket in its directory, one task at a time.
type control struct {
	log    *eventlog.Log
	logger *slog.Logger
	tasks  map[string]taskOf
	busy   chan struct{} // holds one while a task runs
}

func newControl(log *eventlog.Log, logger *slog.Logger) *control {
	c := &control{log: log, logger: logger, busy: make(chan struct{}, 1)}
	c.tasks = map[string]taskOf{"backup": c.backup, "verify": c.verify, "stats": c.stats}
	return c
}

// serve answers until ctx ends, which ends the tasks as well. The socket is gone when it returns.
func (c *control) serve(ctx context.Context, socket net.Listener) error {
	routes := http.NewServeMux()
	for name, task := range c.tasks {
		routes.HandleFunc("POST /"+name, c.handle(task))
	}
	routes.HandleFunc("POST /idle", c.idle)
	server := &http.Server{
		Handler:           routes,
		ReadHeaderTimeout: controlPause,
		IdleTimeout:       controlPause,
		MaxHeaderBytes:    controlRequestBytes,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(c.logger.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(socket) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve the operator's commands: %w", err)
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), controlStopWithin)
	defer cancel()
	err := server.Shutdown(stopping)
	_ = <-ended // that it was shut down
	if err != nil {
		return errors.Join(fmt.Errorf("stop serving the operator's commands: %w", err), server.Close())
	}
	return nil
}

type taskOf func(ctx context.Context, request controlRequest, progress eventlog.Progress) (controlLine, error)

// handle runs a task and writes what it tells. A caller that goes away ends it.
func (c *control) handle(task taskOf) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var request controlRequest
		conn := http.NewResponseController(w)
		_ = conn.SetReadDeadline(time.Now().Add(controlPause)) // a socket has deadlines
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, controlRequestBytes)).Decode(&request); err != nil {
			http.Error(w, "read the request: "+err.Error(), http.StatusBadRequest)
			return
		}
		_ = conn.SetReadDeadline(time.Time{}) // what is read now is the end of the caller
		last := time.NewTimer(controlTurn)
		defer last.Stop()
		select {
		case c.busy <- struct{}{}:
			defer func() { <-c.busy }()
		case <-last.C:
			answer{w}.write(controlLine{Error: "the node is busy with another backup, verify or stats: wait for its end"})
			return
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		c.run(ctx, cancel, answer{w}, task, request)
	}
}

func (c *control) run(ctx context.Context, cancel func(), to answer, task taskOf, request controlRequest) {
	var latest atomic.Pointer[controlProgress]
	ended := make(chan controlLine, 1)
	go func() {
		line, err := task(ctx, request, func(step string, done, total int64) {
			latest.Store(&controlProgress{Step: step, Done: done, Total: total})
		})
		if err != nil {
			line = controlLine{Error: err.Error()}
		}
		ended <- line
	}()
	tick := time.NewTicker(controlTellEach)
	defer tick.Stop()
	written := time.Now()
	for {
		select {
		case line := <-ended:
			to.write(line)
			return
		case <-tick.C:
			progress := latest.Swap(nil)
			if progress == nil && time.Since(written) < controlAliveEach {
				continue
			}
			written = time.Now()
			if !to.write(controlLine{Progress: progress}) {
				cancel() // nobody reads
			}
		}
	}
}

// idle answers once no task runs.
func (c *control) idle(w http.ResponseWriter, r *http.Request) {
	select {
	case c.busy <- struct{}{}:
		<-c.busy
		w.WriteHeader(http.StatusNoContent)
	case <-r.Context().Done():
	}
}

func (c *control) backup(ctx context.Context, request controlRequest, progress eventlog.Progress) (controlLine, error) {
	if !filepath.IsAbs(request.To) {
		return controlLine{}, fmt.Errorf("back up to %q: not an absolute path", request.To)
	}
	c.logger.Info("backup begins", "to", request.To)
	manifest, err := c.log.Backup(ctx, request.To, eventlog.BackupOptions{Link: request.Link, Progress: progress})
	if err != nil {
		c.logger.Warn("backup failed", "to", request.To, "error", err)
		return controlLine{}, err
	}
	c.logger.Info("backup is whole", "to", request.To, "position", manifest.Head)
	return controlLine{Backup: resultOf(manifest)}, nil
}

func (c *control) verify(ctx context.Context, _ controlRequest, progress eventlog.Progress) (controlLine, error) {
	found, err := c.log.Verify(ctx, progress)
	if err == nil && !found.Whole() {
		c.logger.Error("the event log has faults", "found", found.String())
	}
	return controlLine{Verified: found}, err
}

func (c *control) stats(ctx context.Context, request controlRequest, progress eventlog.Progress) (controlLine, error) {
	stats, err := c.log.Stats(ctx, eventlog.StatsOptions{Count: request.Count, Progress: progress})
	return controlLine{Stats: stats}, err
}

// answer is a body of lines.
type answer struct{ http.ResponseWriter }

func (a answer) write(line controlLine) bool {
	text, err := json.Marshal(line)
	if err != nil {
		panic(err) // all of it can be
	}
	to := http.NewResponseController(a.ResponseWriter)
	_ = to.SetWriteDeadline(time.Now().Add(controlPause)) // a socket has deadlines
	if _, err := a.Write(append(text, '\n')); err != nil {
		return false
	}
	return to.Flush() == nil
}

// listenControl makes the socket in a log's directory, in place of one that a process left. The log must be open, so that no other
// process can have it.
func listenControl(ctx context.Context, dir string) (net.Listener, error) {
	path := filepath.Join(dir, controlFile)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	address, release, err := socketAddress(dir)
	if err != nil {
		return nil, err
	}
	config := net.ListenConfig{Control: func(_, _ string, conn syscall.RawConn) error {
		// Where this has no effect, the next line has: it is only later.
		return conn.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), 0o600) })
	}}
	listener, err := config.Listen(ctx, "unix", address)
	if err != nil {
		release()
		return nil, err
	}
	if unix, ok := listener.(*net.UnixListener); ok {
		unix.SetUnlinkOnClose(false) // socket.Close knows its true path
	}
	socket := &controlSocket{Listener: listener, path: path, release: release}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	return socket, nil
}

type controlSocket struct {
	net.Listener

	path    string
	release func()
	closed  atomic.Bool
}

func (s *controlSocket) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	defer s.release()
	err := s.Listener.Close()
	if removed := os.Remove(s.path); !errors.Is(removed, fs.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	return err
}

// socketAddress is a name of the socket that is short enough for a socket. It is good until release.
func socketAddress(dir string) (address string, release func(), err error) {
	path := filepath.Join(dir, controlFile)
	if len(path) <= controlPathBytes {
		return path, func() {}, nil
	}
	if runtime.GOOS != "linux" {
		return "", nil, fmt.Errorf("the path %s is too long for a socket", path)
	}
	handle, err := os.Open(dir) //nolint:gosec // the directory that the operator named
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", handle.Fd(), controlFile), func() { _ = handle.Close() }, nil
}
