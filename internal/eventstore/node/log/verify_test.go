package eventlog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
)

// someLog writes a log with every kind of stream, closes it and answers its file system; the directory is "store".
func someLog(t *testing.T) vfs.FS {
	t.Helper()
	disk := vfs.NewMem()
	l, err := Open("store", Options{FS: disk, MinFree: 1})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return disk
}

// fill writes 18 events: see counts.
func fill(t *testing.T, l *Log) {
	t.Helper()
	write := func(stream string, ids ...byte) {
		events := make([]Event, len(ids))
		for i, id := range ids {
			events[i] = Event{ID: uuid.UUID{id}, Type: "t", Data: []byte("data")}
		}
		if _, err := l.Append(t.Context(), stream, Expected(max(lastOf(t, l, stream), NoRevision)), events...); err != nil {
			t.Fatal(err)
		}
	}
	write("a", 1, 2, 3, 4)
	write("b", 1, 2)
	write("a", 5)
	write("repeats", 1, 2, 1, 1)
	write("$$a", 9)
	write("odd\x00\xff", 1)
	write("ended", 1)
	if _, err := l.Tombstone(t.Context(), "ended", Any); err != nil {
		t.Fatal(err)
	}
	write("deleted", 1)
	if _, err := l.Delete(t.Context(), "deleted", Any); err != nil {
		t.Fatal(err)
	}
	write("z", 1)
}

func lastOf(t *testing.T, l *Log, stream string) Revision {
	t.Helper()
	s, err := l.Stream(stream)
	if err != nil {
		t.Fatal(err)
	}
	return s.Last
}

func verified(t *testing.T, disk vfs.FS, dir string) *Verification {
	t.Helper()
	v, err := VerifyDirectory(t.Context(), dir, VerifyOptions{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func faults(v *Verification) string {
	lines := make([]string, len(v.Faults))
	for i, f := range v.Faults {
		lines[i] = fmt.Sprintf("%s: %s", f.Kind, f.Text)
	}
	return strings.Join(lines, "\n")
}

func checkCounts(t *testing.T, v *Verification) {
	t.Helper()
	if !v.Whole() {
		t.Errorf("a log that is well has faults:\n%s", faults(v))
	}
	type counts struct{ head, events, streams, tombstoned, withMetadata, gaps int64 }
	got := counts{int64(v.Head), v.Events, v.Streams, v.Tombstoned, v.WithMetadata, v.Gaps}
	if want := (counts{18, 18, 9, 1, 2, 0}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

func TestALogThatIsWell(t *testing.T) {
	t.Parallel()
	disk := someLog(t)
	before := listing(t, disk, "store")
	v := verified(t, disk, "store")
	checkCounts(t, v)
	if v.Acknowledged != 18 || v.Unmarked || v.Torn != nil {
		t.Errorf("got %+v, want 18 acknowledged and nothing torn", v)
	}
	if got := listing(t, disk, "store"); got != before {
		t.Errorf("verifying changed the directory from\n%s\nto\n%s", before, got)
	}

	l, err := Open("store", Options{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if v, err = l.Verify(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	checkCounts(t, v)
	if _, err := VerifyDirectory(t.Context(), "store", VerifyOptions{FS: disk}); !errors.Is(err, ErrInUse) {
		t.Errorf("verifying a directory that is open: %v, want ErrInUse", err)
	}
}

// TestVerifyingAfterACrash has the end of the log in the write-ahead log alone, and changes nothing of that.
func TestVerifyingAfterACrash(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	l, err := Open("store", Options{FS: disk, MinFree: 1})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, l)
	after := disk.CrashClone(vfs.CrashCloneCfg{})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	before := listing(t, after, "store")
	checkCounts(t, verified(t, after, "store"))
	if got := listing(t, after, "store"); got != before {
		t.Errorf("verifying changed the directory from\n%s\nto\n%s", before, got)
	}
}

// listing is every file with its content's size and checksum.
func listing(t *testing.T, disk vfs.FS, dir string) string {
	t.Helper()
	files, err := describeFiles(t.Context(), disk, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(files)
}

// inject writes to a log below its own rules.
func inject(t *testing.T, disk vfs.FS, write func(*pebble.Batch)) {
	t.Helper()
	l, err := Open("store", Options{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	batch := l.db.NewBatch()
	write(batch)
	if err := errors.Join(batch.Commit(pebble.Sync), l.db.Flush(), l.Close()); err != nil {
		t.Fatal(err)
	}
}

func recordOf(stream string, revision Revision, p Position, id byte) []byte {
	return appendRecord(nil, &Record{Event: Event{ID: uuid.UUID{id}, Type: "t"}, Stream: stream, Revision: revision, Position: p})
}

func placeOf(p Position, id byte) []byte { return place{position: p, id: uuid.UUID{id}}.append(nil) }

func revisionValue(r Revision) []byte { return binary.BigEndian.AppendUint64(nil, uint64(r)) }

func TestInjectedDamageIsFound(t *testing.T) {
	t.Parallel()
	set := func(b *pebble.Batch, key, value []byte) { _ = b.Set(key, value, nil) }
	remove := func(b *pebble.Batch, key []byte) { _ = b.Delete(key, nil) }
	cases := map[string]struct {
		damage func(*pebble.Batch)
		finds  []string // each in a fault's line
	}{
		"a bit of a record flipped": {
			func(b *pebble.Batch) {
				value := recordOf("a", 1, 2, 2)
				value[len(value)-1] ^= 4
				set(b, positionKey(nil, 2), value)
			},
			[]string{"record: the record at position 2 has a wrong checksum"},
		},
		"a record of another position": {
			func(b *pebble.Batch) { set(b, positionKey(nil, 2), recordOf("a", 1, 3, 2)) },
			[]string{"record: the record at position 2 has a wrong checksum"},
		},
		"a record cut short": {
			func(b *pebble.Batch) { set(b, positionKey(nil, 2), recordOf("a", 1, 2, 2)[:20]) },
			[]string{"record: the record at position 2"},
		},
		"a record at no position": {
			func(b *pebble.Batch) { set(b, positionKey(nil, 0), recordOf("n", 0, 0, 2)) },
			[]string{"record: there is a record at position 0"},
		},
		"a record of another revision": {
			func(b *pebble.Batch) { set(b, positionKey(nil, 2), recordOf("a", 7, 2, 2)) },
			[]string{`index: the record at position 2, revision 7 of "a", is not in the index`, `index: the index has revision 1 of "a" at position 2, where there is revision 7 of "a"`},
		},
		"a record of another id": {
			func(b *pebble.Batch) { set(b, positionKey(nil, 2), recordOf("a", 1, 2, 77)) },
			[]string{"index: the record at position 2, revision 1 of \"a\", has the id 4d000000"},
		},
		"a record is gone": {
			func(b *pebble.Batch) { remove(b, positionKey(nil, 2)) },
			[]string{`index: the index has revision 1 of "a" at position 2, where there is no record`},
		},
		"the last record is gone": {
			func(b *pebble.Batch) { remove(b, positionKey(nil, 18)) },
			[]string{`index: the index has revision 0 of "z" at position 18, where there is no record`, "lost: events up to position 18 were acknowledged, but the log ends at 17"},
		},
		"an index entry is gone": {
			func(b *pebble.Batch) { remove(b, revisionKey(nil, "a", 2)) },
			[]string{`stream: stream "a" has revision 3 where 2 belongs`, `index: the record at position 3, revision 2 of "a", is not in the index`, `id: the id 03000000`},
		},
		"the last index entry of a stream is gone": {
			func(b *pebble.Batch) { remove(b, revisionKey(nil, "a", 4)) },
			[]string{`index: the record at position 7, revision 4 of "a", is not in the index`},
		},
		"an index entry too many": {
			func(b *pebble.Batch) { set(b, revisionKey(nil, "b", 2), placeOf(1, 3)) },
			[]string{`stream: revision 2 of stream "b" is at position 1, the one before it at 6`, `index: the index has revision 2 of "b" at position 1, where there is revision 0 of "a"`},
		},
		"an index entry of an unknown stream": {
			func(b *pebble.Batch) { set(b, revisionKey(nil, "nobody", 0), placeOf(99, 3)) },
			[]string{`index: the index has revision 0 of "nobody" at position 99, where there is no record`},
		},
		"an index entry of another position": {
			func(b *pebble.Batch) { set(b, revisionKey(nil, "b", 1), placeOf(7, 2)) },
			[]string{`index: the record at position 6, revision 1 of "b", is in the index as position 7`},
		},
		"an index entry of another id": {
			func(b *pebble.Batch) { set(b, revisionKey(nil, "b", 1), placeOf(6, 88)) },
			[]string{`has the id 02000000`, `id: revision 1 of "b", at position 6, is not found by its id 58000000`},
		},
		"an index entry cut short": {
			func(b *pebble.Batch) { set(b, revisionKey(nil, "b", 1), []byte{1, 2}) },
			[]string{`index: the index entry of revision 1 of "b"`},
		},
		"an id is gone": {
			func(b *pebble.Batch) { remove(b, idKey(nil, "a", uuid.UUID{4})) },
			[]string{`id: revision 3 of "a", at position 4, is not found by its id 04000000`},
		},
		"an id too many": {
			func(b *pebble.Batch) { set(b, idKey(nil, "a", uuid.UUID{44}), revisionValue(1)) },
			[]string{`id: the id 2c000000`},
		},
		"an id of an unknown stream": {
			func(b *pebble.Batch) { set(b, idKey(nil, "nobody", uuid.UUID{44}), revisionValue(1)) },
			[]string{`id: stream "nobody" has an id 2c000000`},
		},
		"an id of a stream behind all others": {
			func(b *pebble.Batch) { set(b, idKey(nil, strings.Repeat("z", 300), uuid.UUID{44}), revisionValue(1)) },
			[]string{`has an id 2c000000`},
		},
		"an id of another revision": {
			func(b *pebble.Batch) { set(b, idKey(nil, "a", uuid.UUID{4}), revisionValue(4)) },
			[]string{`id: the id 04000000-0000-0000-0000-000000000000 of "a" leads to revision 4, which is not that event`},
		},
		"a repeated id that leads to an earlier event": {
			func(b *pebble.Batch) { set(b, idKey(nil, "repeats", uuid.UUID{1}), revisionValue(2)) },
			[]string{`id: the id 01000000-0000-0000-0000-000000000000 of "repeats" leads to revision 2, the latest with it is 3`},
		},
		"an id that leads beyond the stream": {
			func(b *pebble.Batch) { set(b, idKey(nil, "a", uuid.UUID{4}), revisionValue(1000)) },
			[]string{`leads to revision 1000, which is not that event`},
		},
		"the marks of a stream with metadata are gone": {
			func(b *pebble.Batch) { remove(b, marksKey(nil, "a")) },
			[]string{`marks: stream "a" has metadata and is not marked`},
		},
		"the marks of an ended stream are gone": {
			func(b *pebble.Batch) { remove(b, marksKey(nil, "ended")) },
			[]string{`marks: stream "ended" has a tombstone and is not marked`},
		},
		"marks of a stream without metadata": {
			func(b *pebble.Batch) { set(b, marksKey(nil, "b"), []byte{byte(markMetadata)}) },
			[]string{`marks: stream "b" is marked as having metadata and has none`},
		},
		"marks of a stream without a tombstone": {
			func(b *pebble.Batch) { set(b, marksKey(nil, "b"), []byte{byte(markTombstone)}) },
			[]string{`marks: stream "b" is marked as ended and is not`},
		},
		"marks that mean nothing": {
			func(b *pebble.Batch) { set(b, marksKey(nil, "b"), []byte{64}) },
			[]string{`key: there are marks 40 of "b"`},
		},
		"a key that the log never writes": {
			func(b *pebble.Batch) { set(b, []byte("quite another"), nil) },
			[]string{`key: there is a key "quite another"`},
		},
		"a key of a stream with another length": {
			func(b *pebble.Batch) { set(b, []byte("s\x05ab12345678"), nil) },
			[]string{`key: there is a key "s\x05ab12345678"`},
		},
		"a key of the log with another length": {
			func(b *pebble.Batch) { set(b, []byte("p\x00\x00"), nil) },
			[]string{`key: a log key of 3 bytes`},
		},
		"two positions exchanged, with all that leads there": {
			func(b *pebble.Batch) {
				set(b, positionKey(nil, 2), recordOf("a", 2, 2, 3))
				set(b, positionKey(nil, 3), recordOf("a", 1, 3, 2))
				set(b, revisionKey(nil, "a", 1), placeOf(3, 2))
				set(b, revisionKey(nil, "a", 2), placeOf(2, 3))
			},
			[]string{`stream: revision 2 of stream "a" is at position 2, the one before it at 3`},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			disk := someLog(t)
			inject(t, disk, c.damage)
			v := verified(t, disk, "store")
			for _, want := range c.finds {
				if !slices.ContainsFunc(v.Faults, func(f Fault) bool {
					return strings.HasPrefix(fmt.Sprintf("%s: %s", f.Kind, f.Text), want) || strings.Contains(f.Text, want)
				}) {
					t.Errorf("not found: %s; but:\n%s", want, faults(v))
				}
			}
			if limit := len(c.finds) + 2; len(v.Faults) > limit {
				t.Errorf("%d faults, want at most %d:\n%s", len(v.Faults), limit, faults(v))
			}
		})
	}
}

// TestGapsInPositions are normal after a restore, where they are written down; where they are not, records are missing.
func TestGapsInPositions(t *testing.T) {
	t.Parallel()
	disk := someLog(t)
	late := func(b *pebble.Batch, before, p Position, known bool) {
		stream := fmt.Sprint("late-", p)
		_ = b.Set(positionKey(nil, p), recordOf(stream, 0, p, 9), nil)
		_ = b.Set(revisionKey(nil, stream, 0), placeOf(p, 9), nil)
		_ = b.Set(idKey(nil, stream, uuid.UUID{9}), revisionValue(0), nil)
		if known {
			first := binary.BigEndian.AppendUint64([]byte{spaceGaps}, uint64(before+1))
			_ = b.Set(first, binary.BigEndian.AppendUint64(nil, uint64(p-1)), nil)
		}
	}
	inject(t, disk, func(b *pebble.Batch) {
		late(b, 18, 30, true)
		late(b, 30, 1<<40, true)
	})
	if v := verified(t, disk, "store"); !v.Whole() || v.Gaps != 2 || v.Head != 1<<40 || v.Events != 20 {
		t.Errorf("got %+v, want 20 events, 2 gaps and no fault", v)
	}
	inject(t, disk, func(b *pebble.Batch) { late(b, 1<<40, 1<<40+3, false) })
	v := verified(t, disk, "store")
	if want := "record: the records at positions 1099511627777 to 1099511627778 are missing"; faults(v) != want || v.Gaps != 3 {
		t.Errorf("got %d gaps and %q, want 3 and %q", v.Gaps, faults(v), want)
	}
}

// TestDamagedFilesAreReported flips a bit here and there in every file of a directory: verifying must say so or, where nothing reads the
// bit, count what there is; it must never stop, or count something else.
func TestDamagedFilesAreReported(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	l, err := Open("store", Options{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, l)
	if err := l.db.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(t.Context(), "y", NoStream, Event{ID: uuid.UUID{1}, Type: "t", Data: make([]byte, 100)}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := disk.List("store")
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]int{}
	for _, name := range names {
		whole := content(t, disk, "store/"+name)
		step := max(1, len(whole)/60)
		for at := 0; at < len(whole); at += step {
			damaged := slices.Clone(whole)
			damaged[at] ^= 1 << (at % 8)
			if err := writeFile(disk, "store/"+name, damaged); err != nil {
				t.Fatal(err)
			}
			v, err := VerifyDirectory(t.Context(), "store", VerifyOptions{FS: disk})
			kind := name[strings.LastIndexAny(name, "0123456789")+1:]
			if err != nil || !v.Whole() || v.Torn != nil {
				said[kind]++
			} else if v.Events != 19 || v.Head != 19 {
				t.Errorf("%s, bit of byte %d flipped: counted %d events up to %d and found nothing wrong", name, at, v.Events, v.Head)
			}
			if kind == tableSuffix && (err != nil || v.Whole()) && at < len(whole)-60 { // but for the footer, which has parts that are not read
				t.Errorf("%s, bit of byte %d flipped: %v, want a fault", name, at, err)
			}
		}
		if err := writeFile(disk, "store/"+name, whole); err != nil {
			t.Fatal(err)
		}
	}
	if v := verified(t, disk, "store"); !v.Whole() {
		t.Errorf("in the end it is well, but: %s", faults(v))
	}
	for _, kind := range []string{tableSuffix, ".log", markFile} {
		if said[kind] == 0 {
			t.Errorf("no damage of a file %s was reported; reported were %v", kind, said)
		}
	}
}

func content(t *testing.T, disk vfs.FS, path string) []byte {
	t.Helper()
	file, err := disk.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(file)
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	return text
}

// TestWhatIsBehindDamageIsChecked destroys a block in the middle of a large table: the records it had are named, and a fault far behind
// it is found all the same.
func TestWhatIsBehindDamageIsChecked(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	l, err := Open("store", Options{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	const streams, each = 100, 40
	for i := range streams {
		events := make([]Event, each)
		for j := range events {
			events[j] = Event{ID: uuid.New(), Type: "t", Data: make([]byte, 100+i)}
		}
		if _, err := l.Append(t.Context(), fmt.Sprint("s", i), NoStream, events...); err != nil {
			t.Fatal(err)
		}
	}
	key := positionKey(nil, streams*each-5)
	if err := errors.Join(l.db.Flush(), l.db.Set(key, recordOf("s1", 1, 1, 1), pebble.Sync), l.db.Compact(t.Context(), []byte{0}, []byte{0xff}, false), l.Close()); err != nil {
		t.Fatal(err)
	}
	names, err := disk.List("store")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, tableSuffix) {
			text := content(t, disk, "store/"+name)
			text[len(text)/2] ^= 1 // records are behind the ids, so this is one of them
			if err := writeFile(disk, "store/"+name, text); err != nil {
				t.Fatal(err)
			}
		}
	}
	v := verified(t, disk, "store")
	said := faults(v)
	for _, want := range []string{".sst is damaged", "cannot be read", fmt.Sprintf("the record at position %d has a wrong checksum", streams*each-5)} {
		if !strings.Contains(said, want) {
			t.Errorf("not found: %s; but:\n%s", want, said)
		}
	}
	if v.Events < streams*each*9/10 || v.Events >= streams*each || v.Streams != streams {
		t.Errorf("read %d events of %d streams, want all but the block's", v.Events, v.Streams)
	}
}

// TestADamagedEnd destroys each block of a log in its turn, the last ones too, behind which nothing can be read: it is said, once, and
// verifying ends.
func TestADamagedEnd(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	l, err := Open("store", Options{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	const events = 60
	for i := range events {
		if _, err := l.Append(t.Context(), fmt.Sprint("s", i%7), Any, Event{ID: uuid.New(), Type: "t", Data: make([]byte, 400)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(l.db.Flush(), l.Close()); err != nil {
		t.Fatal(err)
	}
	names, err := disk.List("store")
	if err != nil {
		t.Fatal(err)
	}
	name := "store/" + names[slices.IndexFunc(names, func(name string) bool { return strings.HasSuffix(name, tableSuffix) })]
	whole := content(t, disk, name)
	ends := false
	for at := 0; at < len(whole); at += 256 {
		text := slices.Clone(whole)
		text[at] ^= 1
		text[at+1] ^= 1 // the storage engine finds a single bit
		if err := writeFile(disk, name, text); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		v, err := VerifyDirectory(ctx, "store", VerifyOptions{FS: disk})
		cancel()
		if err != nil || v.Whole() {
			t.Errorf("byte %d: %v, want faults", at, err)
			continue
		}
		said := faults(v)
		if strings.Count(said, "the records after position") > 1 {
			t.Errorf("byte %d: it is said again: %s", at, said)
		}
		ends = ends || strings.Contains(said, "the records after position")
	}
	if !ends {
		t.Error("no damage was at the end of the records")
	}
}

func TestNothingToVerify(t *testing.T) {
	t.Parallel()
	var disk vfs.FS = vfs.NewMem()
	if _, err := VerifyDirectory(t.Context(), "nowhere", VerifyOptions{FS: disk}); !errors.Is(err, errNoLog) {
		t.Errorf("a directory that is not there: %v, want that there is no log", err)
	}
	if err := disk.MkdirAll("empty", 0o700); err != nil {
		t.Fatal(err)
	}
	if v, err := VerifyDirectory(t.Context(), "empty", VerifyOptions{FS: disk}); !errors.Is(err, errNoLog) {
		t.Errorf("an empty directory: %+v, %v, want that there is no log", v, err)
	}
	disk = someLog(t)
	inject(t, disk, func(b *pebble.Batch) { _ = b.Set(formatKey(), []byte("tidings event log 99"), nil) })
	if _, err := VerifyDirectory(t.Context(), "store", VerifyOptions{FS: disk}); !errors.Is(err, errOtherFormat) {
		t.Errorf("another format: %v, want that it is unknown", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := VerifyDirectory(ctx, "store", VerifyOptions{FS: someLog(t)}); !errors.Is(err, context.Canceled) {
		t.Errorf("told to stop: %v, want that", err)
	}
}

// TestFaultsAreBounded: what is wrong everywhere is counted and not listed.
func TestFaultsAreBounded(t *testing.T) {
	t.Parallel()
	disk := someLog(t)
	inject(t, disk, func(b *pebble.Batch) {
		for i := range 3 * maxFaults {
			_ = b.Set(positionKey(nil, Position(19+i)), []byte("nothing"), nil)
		}
	})
	if v := verified(t, disk, "store"); len(v.Faults) != maxFaults || v.Omitted != 2*maxFaults {
		t.Errorf("%d faults and %d more, want %d and %d", len(v.Faults), v.Omitted, maxFaults, 2*maxFaults)
	}
}

func TestSumsAreOfSets(t *testing.T) {
	t.Parallel()
	h := newHasher()
	a, b := h.stream([]byte("a")), h.stream([]byte("b"))
	var one, two, three sums
	one.add(h, a, 1, uuid.UUID{1}, 5)
	one.add(h, b, math.MaxInt64, uuid.UUID{2}, 6)
	two.add(h, b, math.MaxInt64, uuid.UUID{2}, 6)
	two.add(h, a, 1, uuid.UUID{1}, 5)
	three.add(h, a, 1, uuid.UUID{1}, 6)
	three.add(h, b, math.MaxInt64, uuid.UUID{2}, 5)
	if one != two || one == three {
		t.Errorf("the order of members must not count, what they are must: %v, %v, %v", one, two, three)
	}
}
