package eventlog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// directory is the content of each file in a directory.
type directory map[string][]byte

func directoryOf(t testing.TB, disk vfs.FS) directory {
	t.Helper()
	names, err := disk.List("store")
	if err != nil {
		t.Fatal(err)
	}
	d := directory{}
	for _, name := range names {
		file, err := disk.Open(disk.PathJoin("store", name))
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(file)
		if err := errors.Join(err, file.Close()); err != nil {
			t.Fatal(err)
		}
		d[name] = content
	}
	return d
}

// disk is a new disk with these files.
func (d directory) disk(t testing.TB) *vfs.MemFS {
	t.Helper()
	disk := vfs.NewMem()
	if err := disk.MkdirAll("store", 0o750); err != nil {
		t.Fatal(err)
	}
	for name, content := range d {
		file, err := disk.Create(disk.PathJoin("store", name), vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		_, err = file.Write(slices.Clone(content)) // the file system may write into what it is given
		if err := errors.Join(err, file.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return disk
}

func (d directory) with(name string, content []byte) directory {
	changed := maps.Clone(d)
	changed[name] = content
	return changed
}

// named are the files of a kind, the oldest first.
func (d directory) named(kind string) []string {
	var names []string
	for name := range d {
		if kindOf(name) == kind {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (d directory) newest(kind string) string {
	names := d.named(kind)
	return names[len(names)-1]
}

// history is a directory as the death of a process left it, and what its writer knew.
type history struct {
	*ledger

	directory directory
	newest    string // write-ahead log
	answered  []acknowledged
	ends      []int // of each append in the newest write-ahead log, counted from the oldest that is there
	before    int   // appends that are in older files
	unsure    []byte
}

// acknowledgedBytes is how far the newest write-ahead log holds what was acknowledged.
func (h *history) acknowledgedBytes() int { return h.ends[len(h.ends)-1] }

func (h *history) last() eventlog.Position { return h.answered[len(h.answered)-1].position }

// newHistory appends, with tables, an older write-ahead log and the newest one to show for it. One more append was written, and its
// writer has no answer.
func newHistory(t *testing.T, seed uint64, older, newest int) *history {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 3))
	below := vfs.NewCrashableMem()
	disk := newFaultyDisk(below)
	l, err := eventlog.Open("store", eventlog.Options{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	h := &history{ledger: newLedger()}
	many := func(n int, after func()) {
		for range n {
			size := random.IntN([]int{20, 100, 400}[random.IntN(3)] + 1)
			if len(h.answered)%100 == 50 {
				size = 35_000 // more than a block of the write-ahead log
			}
			h.add(t, l, random, size)
			after()
		}
	}
	release := make(chan struct{})
	if older > 0 {
		many(older, func() {})
		if err := l.Rotate(); err != nil {
			t.Fatal(err)
		}
		soon(t, "a table", func() bool { return len(directoryOf(t, killed(t, below)).named("sst")) > 0 })
		many(older, func() {})
		// The table is not begun, and so the older write-ahead log stays.
		waiting := make(chan struct{}, 1)
		disk.fail(func(op diskOp) error {
			if op.verb == "create" && op.kind == "sst" {
				waiting <- struct{}{}
				<-release
			}
			return nil
		})
		if err := l.Rotate(); err != nil {
			t.Fatal(err)
		}
		<-waiting
	}
	h.before = len(h.answered)
	many(newest, func() {
		_, content := newestWAL(t, below)
		h.ends = append(h.ends, len(content))
	})
	h.directory = directoryOf(t, killed(t, below))
	h.newest = h.directory.newest("log")
	h.answered = h.snapshot()
	h.add(t, l, random, 500)
	_, h.unsure = newestWAL(t, below)
	close(release)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *history) add(t *testing.T, l *eventlog.Log, random *rand.Rand, size int) {
	t.Helper()
	a := acknowledged{stream: fmt.Sprint("s", random.IntN(5))}
	var events []eventlog.Event
	for range 1 + random.IntN(3)/2 {
		e := sized(random, size)
		events, a.ids = append(events, e), append(a.ids, e.ID)
	}
	h.propose(a.ids)
	a.position = mustAppend(t, l, a.stream, eventlog.Any, events...).Position
	h.answer(a)
}

// holds audits a log that has the first n appends at least, and of the others none or all.
func (h *history) holds(l *eventlog.Log, n int) error {
	return h.audit(l, h.answered[:n])
}

// places are the offsets at which the newest write-ahead log is damaged: the end of each append and of each block ± 1, the last 4 KiB,
// and 500 anywhere.
func (h *history) places(random *rand.Rand) []int {
	const block = 32 << 10
	edges := slices.Clone(h.ends)
	for edge := 0; edge < len(h.unsure); edge += block {
		edges = append(edges, edge)
	}
	edges = append(edges, 0, len(h.unsure))
	var places []int
	for _, edge := range edges {
		places = append(places, edge-1, edge, edge+1)
	}
	for at := len(h.unsure) - 4096; at < len(h.unsure); at++ {
		places = append(places, at)
	}
	for range 500 {
		places = append(places, random.IntN(len(h.unsure)))
	}
	slices.Sort(places)
	return slices.DeleteFunc(slices.Compact(places), func(at int) bool { return at < 0 || at > len(h.unsure) })
}

// TestTheNewestFileDamaged opens the log with its newest write-ahead log cut, or one bit of it flipped, at every place that may matter.
func TestTheNewestFileDamaged(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	h := newHistory(t, seed, 20, 250)
	random := rand.New(rand.NewPCG(seed, 4))
	places := h.places(random)
	every := 1
	if !*soak && (raceDetector || testing.Short()) {
		every = 30
	}
	t.Logf("%d bytes, %d appends, each of %d places of %d", len(h.unsure), len(h.ends), len(places)/every, len(places))
	damage := map[string]func(at, bit int) []byte{
		"cut": func(at, _ int) []byte { return h.unsure[:at] },
		"flipped": func(at, bit int) []byte {
			content := slices.Clone(h.unsure)
			if at < len(content) {
				content[at] ^= 1 << bit
			}
			return content
		},
	}
	for what, do := range damage {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			for i := int(seed % uint64(every)); i < len(places); i += every {
				at, bit := places[i], i%8
				if err := h.openDamaged(t, at, do(at, bit), what == "cut"); err != nil {
					t.Errorf("%s at %d, bit %d, of %d, acknowledged to %d: %v", what, at, bit, len(h.unsure), h.acknowledgedBytes(), err)
				}
			}
		})
	}
}

// openDamaged opens the log whose newest write-ahead log is not what it was from some place on.
func (h *history) openDamaged(t *testing.T, at int, content []byte, cut bool) error {
	whole, _ := slices.BinarySearch(h.ends, at+1) // appends that end before the damage
	whole += h.before
	damaged := h.directory.with(h.newest, content)
	disk := damaged.disk(t)
	var said bytes.Buffer
	l, err := eventlog.Open("store", eventlog.Options{FS: disk, Logger: slog.New(slog.NewTextHandler(&said, nil))})
	switch {
	case at >= h.acknowledgedBytes():
		if err != nil {
			return fmt.Errorf("nothing acknowledged is missing, and it does not open: %w", err)
		}
		torn := bytes.Contains(said.Bytes(), []byte("torn tail"))
		if cut && torn != (at > h.acknowledgedBytes() && at < len(h.unsure)) {
			err = fmt.Errorf("a torn tail is reported: %v, said %q", torn, &said)
		}
		return errors.Join(err, h.holds(l, len(h.answered)), h.goesOn(l), l.Close())
	case err == nil:
		// A flip may hit a byte without a meaning. Then nothing is missing.
		err = h.holds(l, len(h.answered))
		return errors.Join(err, l.Close())
	case !errors.Is(err, eventlog.ErrCorrupt):
		return fmt.Errorf("does not open, and does not say that it is corrupt: %w", err)
	}
	if left := directoryOf(t, disk); !left.same(damaged) {
		return fmt.Errorf("it was not opened (%w), and was changed: %s", err, left.differences(damaged))
	}
	lost := (*eventlog.Lost)(nil)
	if cut && !errors.As(err, &lost) {
		return fmt.Errorf("opened after a cut: %w, want Lost", err)
	}
	if l, err = eventlog.Open("store", eventlog.Options{FS: disk, AcceptLoss: true}); err != nil {
		return fmt.Errorf("open, accepting the loss: %w", err)
	}
	err = errors.Join(h.holds(l, whole), h.goesOn(l), l.Close())
	if err == nil && at%8 == 0 { // it takes its time
		err = isWhole(disk)
	}
	return err
}

func isWhole(disk vfs.FS) error {
	checked, err := eventlog.VerifyDirectory(context.Background(), "store", eventlog.VerifyOptions{FS: disk})
	if err == nil && !checked.Whole() {
		err = fmt.Errorf("Verify finds %v", checked.Faults)
	}
	return err
}

// goesOn appends: the position was never used.
func (h *history) goesOn(l *eventlog.Log) error {
	e := eventlog.Event{ID: [16]byte{1}, Type: "0"}
	done, err := l.Append(context.Background(), "next", eventlog.NoStream, e)
	if err == nil && done.Position <= h.last() {
		err = fmt.Errorf("position %d is used again: %d was acknowledged", done.Position, h.last())
	}
	return err
}

func (d directory) same(other directory) bool { return d.differences(other) == "" }

// differences ignores the lock, which is made by looking.
func (d directory) differences(other directory) string {
	var text []byte
	for name, content := range d {
		if was, there := other[name]; name != "LOCK" && (!there || !bytes.Equal(was, content)) {
			text = fmt.Appendf(text, "%s is new or other; ", path.Base(name))
		}
	}
	for name := range other {
		if _, there := d[name]; name != "LOCK" && !there {
			text = fmt.Appendf(text, "%s is gone; ", path.Base(name))
		}
	}
	return string(text)
}
