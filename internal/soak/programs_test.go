package soak

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// buildDeadline is for a machine that has compiled nothing yet.
	buildDeadline = 10 * time.Minute
	// readyDeadline covers initdb, or a log and a database that were killed, on a busy machine.
	readyDeadline = 90 * time.Second
	// stopDeadline is what programs promise, with a margin for a busy machine.
	stopDeadline = 20 * time.Second
)

// built holds the programs, compiled once for all tests.
var built struct {
	once sync.Once
	dir  string
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir) // only the programs; the system's cleaning finds what is left
	}
	os.Exit(code)
}

// binary returns where a program is, after compiling all of them: as they are shipped, without the race detector.
func binary(t *testing.T, name string) string {
	t.Helper()
	built.once.Do(func() {
		built.dir, built.err = os.MkdirTemp("", "tidings-soak-") //nolint:usetesting // outlives one test
		if built.err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), buildDeadline) // outlives one test
		defer cancel()
		build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", built.dir+string(filepath.Separator), "./cmd/...")
		build.Dir = filepath.Join("..", "..")
		began := time.Now()
		defer func() { t.Logf("built the programs in %s", time.Since(began).Round(time.Millisecond)) }()
		if out, err := build.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.dir, name)
}

// program is one that runs as a process: of ours, but for Prometheus.
type program struct {
	name  string
	cmd   *exec.Cmd
	said  chan string   // lines of standard output
	err   tail          // standard error
	words tail          // all it said, for who looks for what it must not say
	ended chan struct{} // closed when it has
	exit  error         // set before ended is closed
}

// start runs a program until it ends, is killed, or the test is over. It dies with this process.
func start(t *testing.T, name string, args ...string) *program {
	t.Helper()
	return launch(t, name, binary(t, name), args...)
}

// launch does so with a program that is not ours.
func launch(t *testing.T, name, path string, args ...string) *program {
	t.Helper()
	p := &program{name: name, said: make(chan string, 16), ended: make(chan struct{})}
	p.cmd = exec.Command(path, args...) // killed below, or by the test
	p.cmd.Env = environment()
	p.words.most = wordsBytes
	p.cmd.Stderr = io.MultiWriter(&p.err, &p.words)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the kernel counts the thread that started a process as its parent
		defer runtime.UnlockOSThread()
		dieWithParent(p.cmd)
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.listen(io.TeeReader(out, &p.words))
		p.exit = p.cmd.Wait()
		close(p.ended)
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("the last words of %s %s:\n%s", name, strings.Join(args, " "), p.err.String())
		}
	})
	return p
}

// listen passes on what the program says until it says no more. Lines nobody waits for are dropped.
func (p *program) listen(out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		select {
		case p.said <- lines.Text():
		default:
		}
	}
}

// says waits for a line that begins with prefix and returns the rest of it.
func (p *program) says(t *testing.T, prefix string) string {
	t.Helper()
	late := time.After(readyDeadline)
	for {
		select {
		case line := <-p.said:
			if rest, found := strings.CutPrefix(line, prefix); found {
				return strings.TrimSpace(rest)
			}
		case <-p.ended:
			t.Fatalf("%s ended (%v) before it said %q:\n%s", p.name, p.exit, prefix, p.err.String())
		case <-late:
			t.Fatalf("%s did not say %q in %s:\n%s", p.name, prefix, readyDeadline, p.err.String())
		}
	}
}

// kill ends it as a power cut would, and waits until it is gone.
func (p *program) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

// stop asks it to end and holds it to its promise: in time, and with status 0.
func (p *program) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Errorf("stop %s: %v", p.name, err)
		return
	}
	select {
	case <-p.ended:
		if p.exit != nil {
			t.Errorf("%s: got %v when asked to stop, want status 0\n%s", p.name, p.exit, p.err.String())
		}
	case <-time.After(stopDeadline):
		t.Errorf("%s: still running %s after it was asked to stop", p.name, stopDeadline)
	}
}

// run runs a program to its end and returns what it said.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary(t, name), args...)
	cmd.Env = environment()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// environment is ours without what would point a program elsewhere.
func environment() []string {
	var kept []string
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		switch {
		case name == "TIDINGS_POSTGRES_BIN":
			kept = append(kept, variable)
		case name == "DATABASE_URL", name == "EVENTSTORE_URL", strings.HasPrefix(name, "TIDINGS_"):
		default:
			kept = append(kept, variable)
		}
	}
	return kept
}

// tail keeps the end of what is written to it.
type tail struct {
	most int // bytes; 0: tailBytes
	mu   sync.Mutex
	text []byte
}

const (
	tailBytes  = 32 << 10 // some hundred lines
	wordsBytes = 4 << 20  // more than a program says in a test
)

func (k *tail) Write(text []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.text = append(k.text, text...)
	if over := len(k.text) - cmp.Or(k.most, tailBytes); over > 0 {
		k.text = bytes.Clone(k.text[over:])
	}
	return len(text), nil
}

func (k *tail) String() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return string(k.text)
}

// freeAddress returns a loopback address that nobody listens on. It is below the range from which the system takes
// ports for outgoing connections: there a client that tries again and again while the server is down can take the
// server's port itself.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 15_000+rand.IntN(15_000))
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		return address
	}
	t.Fatal("got no free port in 100 attempts")
	return ""
}

// untilReady waits until a program at a URL says that it is.
func untilReady(t *testing.T, p *program, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), readyDeadline)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		err := ready(ctx, url)
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-p.ended:
			t.Fatalf("%s ended (%v) before it was ready:\n%s", p.name, p.exit, p.err.String())
		case <-ctx.Done():
			t.Fatalf("%s was not ready in %s: %v\n%s", p.name, readyDeadline, err, p.err.String())
		}
	}
}

var errNotReady = errors.New("not ready")

func ready(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10))
		return fmt.Errorf("%w: %d %s", errNotReady, response.StatusCode, text)
	}
	return nil
}
