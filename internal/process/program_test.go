package process

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// programPatience is for a program that starts, or says why it cannot, on a busy machine.
const programPatience = 90 * time.Second

// asProgram makes this test program one of ours.
const asProgram = "TIDINGS_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	switch os.Getenv(asProgram) {
	case "api":
		os.Exit(Main(&APICommand{}, "api", "", os.Args[1:], os.Stderr))
	case "dev":
		os.Exit(Main(&DevCommand{}, "dev", "", os.Args[1:], os.Stderr))
	case "projector":
		os.Exit(Main(&ProjectorCommand{}, "projector", "", os.Args[1:], os.Stderr))
	case "tidings":
		os.Exit(Main(&tool{}, "tidings", "", os.Args[1:], os.Stderr))
	}
	os.Exit(m.Run())
}

// said is what a program has written so far.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(text)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// program prepares a program, which knows these variables and none of ours.
func program(t *testing.T, name string, environment []string, args ...string) (*exec.Cmd, *said) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), programPatience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "TIDINGS_") && !strings.HasPrefix(variable, "DATABASE_URL") && !strings.HasPrefix(variable, "EVENTSTORE_URL") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	cmd.Env = append(append(cmd.Env, asProgram+"="+name, "TIDINGS_LOG_LEVEL=debug"), environment...)
	cmd.Dir = t.TempDir()
	words := &said{}
	cmd.Stdout, cmd.Stderr = words, words
	return cmd, words
}

// status is what a program ended with.
func status(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	ended, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		t.Fatal(err)
	}
	return ended.ExitCode()
}
