package eventlog_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// TestRandomOperations runs random lists of appends, metadata, deletions, tombstones, restarts and power cuts against the model,
// some of them decided in one commit, and reads everything after each commit, or under the race detector after some.
func TestRandomOperations(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := &randomRun{T: t, fs: vfs.NewCrashableMem(), model: newModel()}
		r.open()
		defer func() { _ = r.log.Close() }()
		for i := range rapid.IntRange(1, 12).Draw(t, "groups") {
			r.commit()
			switch rapid.IntRange(0, 11).Draw(t, "then") {
			case 0, 1:
				r.restart()
			case 2, 3:
				r.crash()
			case 4, 5:
				r.model.now = r.model.now.Add(time.Duration(rapid.IntRange(1, 4).Draw(t, "seconds")) * time.Second)
			}
			if !raceDetector || i%4 == 0 {
				r.compare()
			}
		}
		r.compare()
	})
}

// randomRun is a log that does the same as a model.
type randomRun struct {
	*rapid.T

	fs    *vfs.MemFS
	log   *eventlog.Log
	model *model
}

func (r *randomRun) open() {
	r.Helper()
	var err error
	r.log, err = eventlog.Open("store", eventlog.Options{FS: r.fs, RingEvents: 8, Now: func() time.Time { return r.model.now }})
	if err != nil {
		r.Fatal(err)
	}
	r.model.opened()
}

func (r *randomRun) restart() {
	if err := r.log.Close(); err != nil {
		r.Fatal(err)
	}
	r.open()
}

// crash cuts the power: of what was not synced any part may be lost.
func (r *randomRun) crash() {
	seed := rapid.Uint64().Draw(r.T, "seed of the crash")
	after := r.fs.CrashClone(vfs.CrashCloneCfg{
		UnsyncedDataPercent: rapid.SampledFrom([]int{0, 50, 100}).Draw(r.T, "unsynced"), RNG: rand.New(rand.NewPCG(seed, 0)),
	})
	if err := r.log.Close(); err != nil {
		r.Fatal(err)
	}
	r.fs = after
	r.open()
}

// commit has both do a few operations.
func (r *randomRun) commit() {
	var group []eventlog.Operation
	for range rapid.IntRange(1, 6).Draw(r.T, "operations") {
		group = append(group, drawOperation(r.T))
	}
	for i, answer := range r.log.Together(group) {
		if got, want := r.model.expect(group[i], answer); got != want {
			r.Fatalf("operation %d of the group: %s, want %s", i, got, want)
		}
	}
}

var (
	someIDs          = []uuid.UUID{{1}, {2}, {3}, {4}, {5}}
	someStreams      = []string{"a", "a", "a", "ab", "a\x00", "\xff"}
	someExpectations = []eventlog.Expected{
		eventlog.Any, eventlog.Any, eventlog.Any, eventlog.NoStream, eventlog.NoStream, eventlog.StreamExists, 0, 1, 2, 3, 4, 5,
	}
	someMetadata = []string{
		`{}`, `{"$tb":0}`, `{"$tb":1}`, `{"$tb":2}`, `{"$tb":9223372036854775807}`, `{"$tb":-1}`, `{"$tb":9223372036854775808}`,
		`{"$maxCount":1}`, `{"$maxCount":2}`, `{"$maxCount":0}`, `{"$maxCount":-3,"$tb":1}`, `{"$maxCount":1.5}`, `{"$maxCount":"1"}`,
		`{"$maxAge":2}`, `{"$maxAge":3,"$maxCount":3}`, `{"$maxAge":0}`, `{"$maxAge":"2"}`, `{"$maxAge":9223372036854775807}`,
		`{"color":"red","$maxCount":2,"$acl":{"$r":["a","b"]}}`, `{"nested":{"$tb":7}}`, `{"$maxCount":null,"$tb":1}`,
		`{"$tb":`, `[1]`, `null`, `"$tb"`, ``, `{"$tb":1} and more`, "\xff",
	}
)

func drawOperation(t *rapid.T) (o eventlog.Operation) {
	o.Stream = rapid.SampledFrom(someStreams).Draw(t, "stream")
	o.Expected = rapid.SampledFrom(someExpectations).Draw(t, "expected")
	switch kind := rapid.IntRange(0, 37).Draw(t, "kind"); {
	case kind < 23:
		for _, id := range rapid.SliceOfN(rapid.SampledFrom(someIDs), 0, 4).Draw(t, "ids") {
			o.Events = append(o.Events, eventlog.Event{ID: id, Type: "t", Data: []byte(rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "data"))})
		}
	case kind < 31:
		o.Stream = rapid.SampledFrom([]string{"$$", "$$", "$$", "$$$$"}).Draw(t, "meta") + o.Stream
		for _, id := range rapid.SliceOfN(rapid.SampledFrom(someIDs), 0, 2).Draw(t, "ids") {
			o.Events = append(o.Events, eventlog.Event{
				ID: id, Type: eventlog.TypeMetadata,
				JSON: rapid.IntRange(0, 9).Draw(t, "json") > 0,
				Data: []byte(rapid.SampledFrom(someMetadata).Draw(t, "metadata")),
			})
		}
	case kind < 37:
		o.Delete = true
	default:
		o.Tombstone = true
	}
	return o
}

// compare reads all of the log, and each stream, both ways and from anywhere.
func (r *randomRun) compare() {
	all := r.model.events
	highest := r.model.next + 1
	from := eventlog.Position(rapid.Uint64Max(uint64(highest)).Draw(r.T, "from position"))
	limit := eventlog.Limit{
		Events: rapid.SampledFrom([]int{0, 1, 2, 3, 7}).Draw(r.T, "limit"), Bytes: rapid.SampledFrom([]int{0, 1, 400}).Draw(r.T, "bytes"),
	}
	for _, from := range []eventlog.Position{0, from} {
		records := r.pages(func(last *eventlog.Record) ([]*eventlog.Record, error) {
			if last != nil {
				return r.log.Forward(last.Position+1, limit)
			}
			return r.log.Forward(from, limit)
		})
		r.same(fmt.Sprintf("log from %d", from), records, keep(all, func(e modelEvent) bool { return e.position >= from }))
	}
	for _, below := range []eventlog.Position{highest, from} {
		records := r.pages(func(last *eventlog.Record) ([]*eventlog.Record, error) {
			if last != nil {
				return r.log.Backward(last.Position, limit)
			}
			return r.log.Backward(below, limit)
		})
		r.same(fmt.Sprintf("log below %d", below), records, reversed(keep(all, func(e modelEvent) bool { return e.position < below })))
	}
	for _, stream := range []string{"a", "ab", "a\x00", "\xff", "$$a", "$$\xff", "$$$$a", "none"} {
		r.compareStream(stream, limit)
	}
}

func (r *randomRun) compareStream(stream string, limit eventlog.Limit) {
	s, err := r.log.Stream(stream)
	if r.model.tombstoned(stream) {
		if deleted := (*eventlog.StreamDeleted)(nil); !errors.As(err, &deleted) {
			r.Fatalf("%q: %v, want deleted", stream, err)
		}
		return
	}
	if err != nil {
		r.Fatal(err)
	}
	own := r.model.of(stream)
	if got, want := s.Last, eventlog.Revision(len(own))-1; got != want || s.Found != r.model.exists(stream) {
		r.Fatalf("%q: last %d, found %v, want %d, %v", stream, got, s.Found, want, r.model.exists(stream))
	}
	if !s.Found {
		return
	}
	shown := r.model.read(stream)
	from := rapid.Int64Range(0, int64(len(own))+1).Draw(r.T, "from revision")
	for _, from := range []int64{0, from} {
		records := r.pages(func(last *eventlog.Record) ([]*eventlog.Record, error) {
			if last != nil {
				return s.Forward(last.Revision+1, limit)
			}
			return s.Forward(eventlog.Revision(from), limit)
		})
		r.same(fmt.Sprintf("%q from %d", stream, from), records, keep(shown, func(e modelEvent) bool { return e.revision >= from }))
	}
	for _, from := range []int64{math.MaxInt64, from} {
		records := r.pages(func(last *eventlog.Record) ([]*eventlog.Record, error) {
			if last != nil {
				return s.Backward(last.Revision-1, limit)
			}
			return s.Backward(eventlog.Revision(from), limit)
		})
		r.same(fmt.Sprintf("%q back from %d", stream, from), records, reversed(keep(shown, func(e modelEvent) bool { return e.revision <= from })))
	}
	one, err := r.log.Event(stream, eventlog.Revision(from))
	if err != nil {
		r.Fatal(err)
	}
	var records []*eventlog.Record
	if one != nil {
		records = append(records, one)
	}
	r.same(fmt.Sprintf("%q at %d", stream, from), records, keep(shown, func(e modelEvent) bool { return e.revision == from }))
}

// pages reads until a page is empty. Revisions end at 0, so a backward read of a stream ends below it.
func (r *randomRun) pages(next func(last *eventlog.Record) ([]*eventlog.Record, error)) []*eventlog.Record {
	var all []*eventlog.Record
	for {
		var last *eventlog.Record
		if len(all) > 0 {
			last = all[len(all)-1]
		}
		page, err := next(last)
		if err != nil {
			r.Fatal(err)
		}
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
	}
}

// same holds records against the model's. Metadata that the log wrote is compared by what it says.
func (r *randomRun) same(what string, records []*eventlog.Record, want []modelEvent) {
	r.Helper()
	if len(records) != len(want) {
		r.Fatalf("%s: %d records, want %d: %s", what, len(records), len(want), describe(records))
	}
	for i, got := range records {
		w := want[i]
		text := fmt.Sprintf("%d %q@%d at %v", got.Position, got.Stream, got.Revision, got.Created)
		if wanted := fmt.Sprintf("%d %q@%d at %v", w.position, w.stream, w.revision, eventlog.TicksOf(w.created)); text != wanted {
			r.Fatalf("%s: %s, want %s", what, text, wanted)
		}
		written := w.id == uuid.Nil
		if got.ID != w.id && !written || written && got.ID == uuid.Nil {
			r.Fatalf("%s: %s has id %s, want %s", what, text, got.ID, w.id)
		}
		if string(got.Data) != w.data && (!written || !sameJSON(string(got.Data), w.data)) || got.JSON != w.json {
			r.Fatalf("%s: %s holds %q, want %q", what, text, got.Data, w.data)
		}
	}
}

func sameJSON(a, b string) bool {
	var x, y any
	return errors.Join(json.Unmarshal([]byte(a), &x), json.Unmarshal([]byte(b), &y)) == nil && reflect.DeepEqual(x, y)
}

func keep(events []modelEvent, wanted func(modelEvent) bool) []modelEvent {
	return slices.DeleteFunc(slices.Clone(events), func(e modelEvent) bool { return !wanted(e) })
}

func reversed(events []modelEvent) []modelEvent {
	slices.Reverse(events)
	return events
}
