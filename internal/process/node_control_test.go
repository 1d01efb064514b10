package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// controlled has a log served on its socket until the test ends, or stop. There is a task more, that ends with its context alone.
func controlled(t *testing.T, dir string) (log *eventlog.Log, endless *endlessTask, stop func()) {
	t.Helper()
	log, err := eventlog.Open(dir, eventlog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	socket, err := listenControl(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	served := newControl(log, slog.New(slog.DiscardHandler))
	endless = &endlessTask{began: make(chan struct{}), stopping: make(chan struct{}), cleaned: make(chan struct{})}
	served.tasks["endless"] = endless.run
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- served.serve(ctx, socket) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := errors.Join(<-ended, log.Close()); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return log, endless, stop
}

func appendTo(t *testing.T, log *eventlog.Log, n int) {
	t.Helper()
	for range n {
		event := eventlog.Event{ID: uuid.New(), Type: "t", Data: make([]byte, 200)}
		if _, err := log.Append(t.Context(), fmt.Sprint("s-", uuid.New()), eventlog.NoStream, event); err != nil {
			t.Fatal(err)
		}
	}
}

func never(t *testing.T) func() error {
	t.Helper()
	return func() error {
		t.Error("the directory was opened, though a process has it")
		return nil
	}
}

// TestTheTasksOfARunningNode in a directory whose path is short, and in one whose path no socket could have.
func TestTheTasksOfARunningNode(t *testing.T) {
	t.Parallel()
	for name, below := range map[string]string{"short": "data", "long": strings.Repeat("very-long/", 30) + "data"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := t.TempDir()
			dir := filepath.Join(at, below)
			log, _, stop := controlled(t, dir)
			appendTo(t, log, 10)
			info, err := os.Stat(filepath.Join(dir, controlFile))
			if err != nil || info.Mode() != fs.ModeSocket|0o600 {
				t.Errorf("the socket is %v, %v, want one for its owner alone", info.Mode(), err)
			}

			line, err := viaNode(t.Context(), dir, "stats", controlRequest{Count: true}, nil, never(t))
			if err != nil || line.Stats.Counted.Events != 10 || line.Stats.OpenSince.IsZero() {
				t.Errorf("stats: %+v, %v", line.Stats, err)
			}
			line, err = viaNode(t.Context(), dir, "verify", controlRequest{}, nil, never(t))
			if err != nil || line.Verified.Events != 10 || !line.Verified.Whole() {
				t.Errorf("verify: %+v, %v", line.Verified, err)
			}
			to := filepath.Join(at, "backup")
			line, err = viaNode(t.Context(), dir, "backup", controlRequest{To: to}, nil, never(t))
			if err != nil || line.Backup.Head != 10 {
				t.Errorf("backup: %+v, %v", line.Backup, err)
			}
			if v, err := eventlog.VerifyDirectory(t.Context(), to, eventlog.VerifyOptions{}); err != nil || !v.Whole() || v.Events != 10 {
				t.Errorf("the backup is %v, %v", v, err)
			}
			if _, err = viaNode(t.Context(), dir, "backup", controlRequest{To: to}, nil, never(t)); err == nil || !strings.Contains(err.Error(), "not empty") {
				t.Errorf("a second backup to the same place: %v, want that it is not empty", err)
			}
			if _, err = viaNode(t.Context(), dir, "backup", controlRequest{To: "relative"}, nil, never(t)); err == nil || !strings.Contains(err.Error(), "absolute") {
				t.Errorf("a relative place: %v, want that it is none", err)
			}

			stop()
			if _, err := os.Lstat(filepath.Join(dir, controlFile)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the socket is left: %v", err)
			}
			done := errors.New("done by itself")
			if _, err := viaNode(t.Context(), dir, "verify", controlRequest{}, nil, func() error { return done }); !errors.Is(err, done) {
				t.Errorf("of a log that no process has: %v, want that it is done here", err)
			}
		})
	}
}

// TestASocketThatWasLeftBehind by a process that was killed hinders neither the next, nor the commands until then.
func TestASocketThatWasLeftBehind(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(t *testing.T, path string){
		"a socket": func(t *testing.T, path string) {
			t.Helper()
			left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
			if err != nil {
				t.Fatal(err)
			}
			left.SetUnlinkOnClose(false)
			if err := left.Close(); err != nil {
				t.Fatal(err)
			}
		},
		"a file": func(t *testing.T, path string) {
			t.Helper()
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			leave(t, filepath.Join(dir, controlFile))
			done := errors.New("done by itself")
			if _, err := viaNode(t.Context(), dir, "verify", controlRequest{}, nil, func() error { return done }); !errors.Is(err, done) {
				t.Errorf("got %v, want that it is done here", err)
			}
			controlled(t, dir)
			if line, err := viaNode(t.Context(), dir, "stats", controlRequest{}, nil, never(t)); err != nil || line.Stats == nil {
				t.Errorf("the next process: %+v, %v", line, err)
			}
		})
	}
}

// TestAProcessThatIsJustStarting has the log, and its socket a moment later.
func TestAProcessThatIsJustStarting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tries := 0
	line, err := viaNode(t.Context(), dir, "stats", controlRequest{}, nil, func() error {
		tries++
		if tries == 2 {
			controlled(t, dir)
		}
		return eventlog.ErrInUse
	})
	if err != nil || line.Stats == nil || tries != 2 {
		t.Errorf("got %+v, %v after %d tries, want an answer at the third", line, err, tries)
	}
}

// endlessTask has to tidy up when it is told to stop, which takes until cleaned is closed.
type endlessTask struct {
	began, stopping, cleaned chan struct{}
	ended                    atomic.Bool
}

func (e *endlessTask) run(ctx context.Context, _ controlRequest, progress eventlog.Progress) (controlLine, error) {
	progress("endless", 1, 2)
	close(e.began)
	<-ctx.Done()
	close(e.stopping)
	<-e.cleaned
	e.ended.Store(true)
	return controlLine{}, ctx.Err()
}

// TestATaskThatIsToldToStop has ended when the command ends.
func TestATaskThatIsToldToStop(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, endless, _ := controlled(t, dir)
	ctx, interrupt := context.WithCancel(t.Context())
	told := make(chan string, 100)
	asked := make(chan error, 1)
	go func() {
		_, err := askNode(ctx, dir, "endless", controlRequest{}, func(step string, done, total int64) {
			told <- fmt.Sprintf("%s %d of %d", step, done, total)
		})
		asked <- err
	}()
	if got, want := <-told, "endless 1 of 2"; got != want {
		t.Errorf("told of %q, want %q", got, want)
	}
	if _, err := askNode(t.Context(), dir, "stats", controlRequest{}, nil); err == nil || !strings.Contains(err.Error(), "busy") {
		t.Errorf("a task meanwhile: %v, want that the node is busy", err)
	}
	interrupt()
	<-endless.stopping
	select {
	case err := <-asked:
		t.Fatalf("the command ended (%v) before its task", err)
	case <-time.After(50 * time.Millisecond): // in which it would have
	}
	close(endless.cleaned)
	if err := <-asked; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was told to stop", err)
	}
	if !endless.ended.Load() {
		t.Error("the command ended before its task")
	}
	if line, err := askNode(t.Context(), dir, "stats", controlRequest{}, nil); err != nil || line.Stats == nil {
		t.Errorf("the next task: %+v, %v", line, err)
	}
}

// TestANodeThatStopsEndsItsTasks, and says so to whoever waits for them.
func TestANodeThatStopsEndsItsTasks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, endless, stop := controlled(t, dir)
	asked := make(chan error, 1)
	go func() {
		_, err := askNode(t.Context(), dir, "endless", controlRequest{}, nil)
		asked <- err
	}()
	<-endless.began
	close(endless.cleaned)
	stop()
	if err := <-asked; err == nil || errors.Is(err, errNobody) {
		t.Errorf("got %v, want that the task was ended", err)
	}
	if !endless.ended.Load() {
		t.Error("the node ended before its task")
	}
}

func TestRequestsThatAreNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	controlled(t, dir)
	address, release, err := socketAddress(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	client := &http.Client{Transport: &http.Transport{DialContext: dialControl(address), DisableKeepAlives: true}}
	for name, c := range map[string]struct {
		task, body string
		status     int
	}{
		"an unknown task":           {"shutdown", "{}", http.StatusNotFound},
		"no JSON":                   {"stats", "?", http.StatusBadRequest},
		"more than a request is of": {"backup", `{"to":"` + strings.Repeat("x", controlRequestBytes) + `"}`, http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://node/"+c.task, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			response, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			if response.StatusCode != c.status {
				t.Errorf("got %d, want %d", response.StatusCode, c.status)
			}
		})
	}
	if _, err := askNode(t.Context(), dir, "shutdown", controlRequest{}, nil); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("got %v, want what the node answers", err)
	}
}
