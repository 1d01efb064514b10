package eventlog_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// helperDirectory names the environment variable that makes this test program a writer that waits to be killed.
const helperDirectory = "TIDINGS_TEST_LOG_WRITER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperDirectory); dir != "" {
		fmt.Fprintln(os.Stderr, writeUntilKilled(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeUntilKilled prints each position after it was acknowledged.
func writeUntilKilled(dir string) error {
	l, err := eventlog.Open(dir, eventlog.Options{})
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		done, err := l.Append(context.Background(), fmt.Sprint("s", i%7), eventlog.Any, event("x"))
		if err != nil {
			return err
		}
		if _, err := fmt.Println(done.Position); err != nil {
			return err
		}
	}
}

// TestKilledWhileWriting has another process write, finds the directory in use, kills that process, and goes on where it was.
func TestKilledWhileWriting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	last := eventlog.Position(0)
	for round := range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		writer := exec.CommandContext(ctx, os.Args[0])
		writer.Env = append(os.Environ(), helperDirectory+"="+dir)
		writer.Stderr = os.Stderr
		output, err := writer.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := writer.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(output)
		for n := 0; lines.Scan(); n++ {
			var position eventlog.Position
			if _, err := fmt.Sscan(lines.Text(), &position); err != nil || position <= last {
				t.Errorf("round %d: %q after %d, %v", round, lines.Text(), last, err)
			}
			last = position
			if n != 20 {
				continue
			}
			if _, err := eventlog.Open(dir, eventlog.Options{}); !errors.Is(err, eventlog.ErrInUse) {
				t.Errorf("opening what another process has open: %v, want ErrInUse", err)
			}
			if err := writer.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
		_ = writer.Wait() // it was killed
		cancel()

		l, err := eventlog.Open(dir, eventlog.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if head := l.Head(); head < last || last == 0 {
			t.Errorf("round %d: the head is %d, %d was acknowledged", round, head, last)
		}
		log, err := everything(l)
		if err == nil {
			err = auditStreams(l, log)
		}
		if err := errors.Join(err, l.Close()); err != nil {
			t.Error(err)
		}
	}
}
