package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestReadme runs the README's shell blocks one after the other against the
// real program, and compares what they print with the block that follows each,
// where "…" stands for anything.
func TestReadme(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the whole program")
	}
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	url := dev(t, t.Output(), filepath.Join(t.TempDir(), "data"))
	blocks := shellBlocks(string(text))
	if len(blocks) < 5 {
		t.Fatalf("the README has %d shell blocks, want at least 5", len(blocks))
	}
	for _, b := range blocks {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		script := strings.ReplaceAll(b.script, "http://127.0.0.1:8080", url)
		out, err := exec.CommandContext(ctx, "bash", "-ec", script).CombinedOutput()
		if err != nil {
			t.Fatalf("%s\n%v: %s", b.script, err, out)
		}
		if !like(b.output, string(out)) {
			t.Errorf("%s\nprinted:\n%s\nthe README says:\n%s", b.script, out, b.output)
		}
	}
}

type shellBlock struct{ script, output string }

// shellBlocks are the ```sh blocks, each with the ```json or ```text block right after it.
func shellBlocks(markdown string) []shellBlock {
	found := regexp.MustCompile("(?s)```sh\n(.*?)```\n(?:```(?:json|text)\n(.*?)```)?").FindAllStringSubmatch(markdown, -1)
	blocks := make([]shellBlock, len(found))
	for i, f := range found {
		blocks[i] = shellBlock{f[1], f[2]}
	}
	return blocks
}

// like says whether what was printed is what was written, but for line ends
// between answers and whatever stands where a "…" is.
func like(written, printed string) bool {
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), "") }
	parts := strings.Split(squeeze(written), "…")
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	return regexp.MustCompile("(?s)^" + strings.Join(parts, ".*?") + "$").MatchString(squeeze(printed))
}

func TestLike(t *testing.T) {
	t.Parallel()
	for printed, want := range map[string]bool{
		`{"a":"1","b":2}`:       true,
		`{"a":"","b":2}` + "\n": true,
		`{"a":"1","b":3}`:       false,
		`{"a":"1"}`:             false,
		``:                      false,
	} {
		if got := like("{\"a\":\"…\",\n\"b\":2}\n", printed); got != want {
			t.Errorf("%q: %v, want %v", printed, got, want)
		}
	}
}

// dev starts the real program on free ports and answers where it serves; it is
// stopped, and must stop cleanly, when the test ends.
func dev(t *testing.T, log io.Writer, data string, flags ...string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], append([]string{"dev", "--data", data, "--listen", "127.0.0.1:0", "--store-listen", "127.0.0.1:0"}, flags...)...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	cmd.Stderr = log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("tidings dev did not stop cleanly: %v", err)
		}
	})
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if url, ok := strings.CutPrefix(lines.Text(), "ready "); ok {
			return url
		}
	}
	t.Fatal("tidings dev ended before it was ready")
	return ""
}
