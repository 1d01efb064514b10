package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// asProgram makes this test program the program itself.
const asProgram = "TIDINGS_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// patience is for a program that does nothing but start, on a busy machine.
const patience = 30 * time.Second

// program prepares the program; what it says on standard error is kept.
func program(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "TIDINGS_") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	cmd.Env = append(cmd.Env, asProgram+"=1")
	var said bytes.Buffer
	cmd.Stderr = &said
	return cmd, &said
}

// status is what a program ended with.
func status(t *testing.T, err error) int {
	t.Helper()
	var ended *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &ended):
		return ended.ExitCode() // -1: killed, by the deadline or a signal
	default:
		t.Fatal(err)
		return 0
	}
}

func TestWhatCannotBeRunIsRefused(t *testing.T) {
	t.Parallel()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	busy := taken.Addr().String()
	aFile := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(aFile, []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const usage, failed = 2, 1
	cases := map[string]struct {
		args   string
		status int
		says   []string
	}{
		"no command":                              {"", usage, []string{"expected one of", "--help"}},
		"an unknown command":                      {"serve", usage, []string{"serve", "--help"}},
		"an unknown flag":                         {"dev --lisen 127.0.0.1:0", usage, []string{"--lisen", "--listen"}},
		"a value that is none":                    {"dev --log-level loud", usage, []string{"--log-level"}},
		"a negative age":                          {"dev --inbox-keep-age -1s", usage, []string{"--inbox-keep-age"}},
		"a negative number of items":              {"dev --inbox-keep-items -1", usage, []string{"--inbox-keep-items"}},
		"a history of nothing":                    {"dev --inbox-keep-history 0s", usage, []string{"--inbox-keep-history"}},
		"a negative limit":                        {"dev --fanout-store-limit -1", usage, []string{"--fanout-store-limit"}},
		"dev for others to reach":                 {"dev --listen 0.0.0.0:8080", usage, []string{"--listen 0.0.0.0:8080", "access control", "127.0.0.1"}},
		"dev on every address there is":           {"dev --listen :8080", usage, []string{"access control"}},
		"dev's store for others to reach":         {"dev --store-listen [::]:2113", usage, []string{"--store-listen [::]:2113", "access control"}},
		"dev on no address at all":                {"dev --listen 8080", usage, []string{"8080", "missing port"}},
		"dev where something listens":             {"dev --listen " + busy, failed, []string{busy, "address already in use", "--listen"}},
		"dev's store where something listens":     {"dev --listen 127.0.0.1:0 --store-listen " + busy, failed, []string{busy, "address already in use", "--store-listen"}},
		"a node for others to reach":              {"node --listen 0.0.0.0:2113", usage, []string{"access control", "--insecure"}},
		"a node's monitor for others to reach":    {"node --listen 127.0.0.1:0 --monitor-listen 0.0.0.0:2114", usage, []string{"0.0.0.0:2114", "--insecure"}},
		"a node where something listens":          {"node --listen " + busy, failed, []string{busy, "address already in use"}},
		"a node's monitor where something is":     {"node --listen 127.0.0.1:0 --monitor-listen " + busy, failed, []string{busy, "--monitor-listen"}},
		"a certificate for an address":            {"node certificate https://localhost", usage, []string{"https://localhost", "no name and no IP address"}},
		"a certificate for no time":               {"node certificate localhost --days 0", usage, []string{"--days"}},
		"a certificate for nobody":                {"node certificate", usage, []string{"<hosts>"}},
		"a password for nobody":                   {"node hash-password", usage, []string{"<name>"}},
		"a password that is empty":                {"node hash-password alice", failed, []string{"empty"}},
		"a skip without a reason":                 {"projections skip --position 70", usage, []string{"--reason"}},
		"a skip of nothing in particular":         {"projections skip --reason why", usage, []string{"--position"}},
		"a switch that is none":                   {"projections rebuild --switch later", usage, []string{"--switch"}},
		"a version that is no number":             {"projections activate two", usage, []string{"two"}},
		"versions of which nobody tells":          {"projections status --url http://127.0.0.1:1", failed, []string{"does not answer", "connection refused", "--url"}},
		"a rebuild that nobody hears of":          {"projections rebuild --wait --url http://127.0.0.1:1", failed, []string{"does not answer", "--url"}},
		"a data directory that is a file":         {"node --listen 127.0.0.1:0 --data " + aFile, failed, []string{aFile}},
		"an import of what is not there":          {"import /does/not/exist", usage, []string{"/does/not/exist"}},
		"an import of what is no workload":        {"import " + aFile, failed, []string{aFile}},
		"an import to what is no address":         {"import " + aFile + " --url localhost", usage, []string{"--url"}},
		"an import where nobody is, for a moment": {"import " + workloadFile(t) + " --patience 1ms --url http://127.0.0.1:1", failed, []string{"127.0.0.1:1", "connection refused"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd, said := program(t, strings.Fields(c.args)...)
			cmd.Dir = t.TempDir()
			if got := status(t, cmd.Run()); got != c.status {
				t.Errorf("tidings %s: got status %d, want %d", c.args, got, c.status)
			}
			for _, want := range c.says {
				if !strings.Contains(said.String(), want) {
					t.Errorf("tidings %s: got %q, want it to mention %q", c.args, said, want)
				}
			}
			if strings.Contains(said.String(), "goroutine ") {
				t.Errorf("tidings %s: got a stack: %s", c.args, said)
			}
		})
	}
}

// workloadFile is a small workload.
func workloadFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "workload.ndjson")
	cmd, said := program(t, "workload", "--seed", "1", "--publishes", "20", "--users", "5", "--topics", "2", "--out", file)
	if err := cmd.Run(); err != nil {
		t.Fatalf("make a workload: %v: %s", err, said)
	}
	return file
}

// TestAnInterruptedImportHasNotSucceeded: a script that goes on after it must not take it for done.
func TestAnInterruptedImportHasNotSucceeded(t *testing.T) {
	t.Parallel()
	file := workloadFile(t)
	for name, signal := range map[string]os.Signal{"Ctrl-C": os.Interrupt, "a service manager": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := make(chan struct{})
			var once sync.Once
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // or the end of the connection would not be seen
				once.Do(func() { close(asked) })
				<-r.Context().Done()
			}))
			t.Cleanup(server.Close)
			cmd, said := program(t, "import", file, "--url", server.URL)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			<-asked
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if got := status(t, cmd.Wait()); got != 1 {
				t.Errorf("got status %d, want 1: it was not done\n%s", got, said)
			}
			if !strings.Contains(said.String(), "run it again") {
				t.Errorf("got %q, want that it can be run again", said)
			}
		})
	}
}

// TestAStoppedServerHasSucceeded: a node that is told to stop has done its work; until then its monitor answers.
func TestAStoppedServerHasSucceeded(t *testing.T) {
	t.Parallel()
	monitor := freeAddress(t)
	cmd, said := program(t, "node", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--monitor-listen", monitor)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "ready esdb://127.0.0.1:") {
		t.Fatalf("got %q, %v, want ready and its address\n%s", line, err, said)
	}
	for path, want := range map[string]string{
		"/livez": `"live"`, "/readyz": `"log":{"state":"ready"}`, "/metrics": "tidings_node_head_position 0",
	} {
		if got := get(t, "http://"+monitor+path); !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := status(t, cmd.Wait()); got != 0 {
		t.Errorf("got status %d, want 0\n%s", got, said)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return listener.Addr().String()
}

// get asks for what must be there.
func get(t *testing.T, address string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: got %d %s, %v, want 200", address, response.StatusCode, text, err)
	}
	return string(text)
}
