package replay

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
)

var pair = Pair{Source: "here", Target: "there", Pick: "type=X"}

// TestACheckpointIsReadAsFarAsItIsWhole: cut at any byte it remembers what was whole, and goes on from there.
func TestACheckpointIsReadAsFarAsItIsWhole(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "checkpoint")
	a, b := uuid.New(), uuid.New()
	write := func(c *Checkpoint) {
		for _, err := range []error{c.done(3), c.published(a, 10, b, 20), c.done(10), c.Close()} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	write(open1(t, path))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(whole) + 1 {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		c := open1(t, path)
		lines := strings.Count(string(whole[:cut]), "\n")
		wantReached := []uint64{0, 0, 3, 3, 10}[lines]
		if _, known := c.places.id(a); c.Reached() != wantReached || known != (lines > 2) {
			t.Errorf("cut at %d, after %d lines: got %d, and the notification %t, want %d and %t", cut, lines, c.Reached(), known, wantReached, lines > 2)
		}
		if lines > 2 && c.places.through(15) != 20 {
			t.Errorf("cut at %d: got through %d, want 20", cut, c.places.through(15))
		}
		write(c)
		if again := open1(t, path); again.Reached() != 10 {
			t.Errorf("cut at %d and gone on: got %d, want 10", cut, again.Reached())
		}
	}
}

func open1(t *testing.T, path string) *Checkpoint {
	t.Helper()
	c, err := OpenCheckpoint(path, pair)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // it may be closed
	return c
}

// TestACheckpointAfterAPowerCut has a hole, and what is behind it does not count.
func TestACheckpointAfterAPowerCut(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "checkpoint")
	if err := open1(t, path).done(3); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString("\x00\x00\x00\nd 9\n"); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if got := open1(t, path).Reached(); got != 3 {
		t.Errorf("got %d, want 3, which stands before the hole", got)
	}
}

func TestACheckpointOfAnotherReplayIsRefused(t *testing.T) {
	t.Parallel()
	for rule, c := range map[string]struct {
		of   Pair
		says string
	}{
		"of another source": {Pair{"elsewhere", "there", "type=X"}, "belongs to a replay of the log here, not of elsewhere"},
		"of another target": {Pair{"here", "elsewhere", "type=X"}, "into the log there, not into elsewhere"},
		"of another pick":   {Pair{"here", "there", ""}, `of the events "type=X", not of ""`},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "checkpoint")
			if err := open1(t, path).done(3); err != nil {
				t.Fatal(err)
			}
			if _, err := OpenCheckpoint(path, c.of); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want it to say %q", err, c.says)
			}
			if got := open1(t, path).Reached(); got != 3 {
				t.Errorf("got %d afterwards, want it left as it was, 3", got)
			}
		})
	}
	path := filepath.Join(t.TempDir(), "diary")
	if err := os.WriteFile(path, []byte("dear diary\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCheckpoint(path, pair); err == nil || !strings.Contains(err.Error(), "no checkpoint") {
		t.Errorf("got %v of a file that is none, want it refused", err)
	}
}
