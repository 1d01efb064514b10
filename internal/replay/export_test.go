package replay

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"context"
)

// TestAnExportGoesOnWhereItWasCut: at any byte, with answers broken off, the file ends as it would have at once.
func TestAnExportGoesOnWhereItWasCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		on := newInstance(t, random)
		(&history{t: t, random: random, on: on}).run(80)
		log := &Log{Server: on.server()}
		x := Export{Source: log.Read, First: log.First}
		var whole bytes.Buffer
		if _, err := x.To(t.Context(), &whole); err != nil {
			t.Fatal(err)
		}
		on.trouble = 0.3
		path := filepath.Join(t.TempDir(), "log.ndjson")
		for range 30 {
			cut := random.IntN(whole.Len() + 1)
			if err := os.WriteFile(path, whole.Bytes()[:cut], 0o600); err != nil {
				t.Fatal(err)
			}
			done, err := x.ToFile(t.Context(), path)
			if err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, whole.Bytes()) {
				t.Fatalf("cut at %d: got %d bytes, want %d", cut, len(got), whole.Len())
			}
			kept := bytes.Count(whole.Bytes()[:cut], []byte("\n"))
			if want := bytes.Count(whole.Bytes(), []byte("\n")) - kept; done.Events != want {
				t.Errorf("cut at %d: got %d events written, want %d", cut, done.Events, want)
			}
		}
		checkFileIsTheLog(t, path, log)
		torn := append(bytes.Clone(whole.Bytes()), `{"id":"01`...) // of an event that a lost disk took with it
		if err := os.WriteFile(path, torn, 0o600); err != nil {
			t.Fatal(err)
		}
		if done, err := x.ToFile(t.Context(), path); err != nil || done.Dropped != 9 {
			t.Errorf("got %d bytes dropped (%v), want 9", done.Dropped, err)
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, whole.Bytes()) {
			t.Errorf("got %d bytes (%v) of a file that was whole but for its end, want %d", len(got), err, whole.Len())
		}
	})
}

// checkFileIsTheLog holds a file, as a source, to what the log is, as one.
func checkFileIsTheLog(t *testing.T, path string, log *Log) {
	t.Helper()
	pick := Pick{After: 5, Until: 60, Category: "notification"}
	file, live := positions(t, (&File{Path: path, Pick: pick}).Read(t.Context(), 10)), positions(t, (&Log{Server: log.Server, Pick: pick}).Read(t.Context(), 10))
	if !slices.Equal(file, live) || len(file) == 0 {
		t.Errorf("got positions %v of the file, want those of the log, %v", file, live)
	}
	inFile, err := (&File{Path: path}).Name()
	if err != nil {
		t.Fatal(err)
	}
	inLog, err := log.Name(t.Context())
	if err != nil || inFile != inLog {
		t.Errorf("got the name %s of the file, want that of the log, %s (%v)", inFile, inLog, err)
	}
}

func positions(t *testing.T, from iter.Seq2[Event, error]) []uint64 {
	t.Helper()
	var all []uint64
	for e, err := range from {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e.Position)
	}
	return all
}

// TestWhatAFileIsRefusedFor, left as it was.
func TestWhatAFileIsRefusedFor(t *testing.T) {
	t.Parallel()
	const first = `{"id":"018f2f6e-9a3b-7c4d-8e5f-60718293a4b5","stream":"store","position":"1","type":"StoreNamed"}`
	for rule, c := range map[string]struct{ holds, says string }{
		"another log's":        {strings.Replace(first, "018f", "118f", 1) + "\n", "of another log, or was written with other filters"},
		"something else":       {"dear diary\n", "the file holds something else"},
		"a line that is torn":  {first + "\n{\"id\":\n", "its last line"},
		"an empty line at end": {first + "\n\n", "its last line"},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "log.ndjson")
			if err := os.WriteFile(path, []byte(c.holds), 0o600); err != nil {
				t.Fatal(err)
			}
			e, err := parse([]byte(first))
			if err != nil {
				t.Fatal(err)
			}
			x := Export{Source: (&File{Path: path}).Read, First: func(context.Context) (*Event, error) { return &e, nil }}
			if _, err := x.ToFile(t.Context(), path); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want it to say %q", err, c.says)
			}
			if left, err := os.ReadFile(path); err != nil || string(left) != c.holds {
				t.Errorf("got %q (%v) left of the file, want it as it was", left, err)
			}
		})
	}
}

// TestLinesAreWhole or not there.
func TestLinesAreWhole(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 200<<10)
	for rule, c := range map[string]struct {
		text string
		want []string
		ends error
	}{
		"a text of lines":     {"a\n\nb\n", []string{"a", "", "b"}, io.EOF},
		"one that breaks off": {"a\nb", []string{"a"}, io.ErrUnexpectedEOF},
		"long lines":          {long + "\na\n" + long + "y\n", []string{long, "a", long + "y"}, io.EOF},
		"one that is too long": {
			strings.Repeat("x", maxLineBytes+100) + "\n", nil, errLongLine,
		},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			var got []string
			text := newLines(strings.NewReader(c.text))
			var err error
			for err == nil {
				var line []byte
				if line, err = text.next(); err == nil {
					got = append(got, string(line))
				}
			}
			if !errors.Is(err, c.ends) || !slices.Equal(got, c.want) {
				t.Errorf("got %d lines and %v, want %d and %v", len(got), err, len(c.want), c.ends)
			}
		})
	}
}
