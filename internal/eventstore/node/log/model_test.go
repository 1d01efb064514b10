package eventlog_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// model is the log in its plainest form: a list, searched from end to end.
type model struct {
	events []modelEvent
}

type modelEvent struct {
	stream   string
	revision int64
	id       uuid.UUID
	tb       int64 // of metadata events; −1: says nothing
}

func (m *model) of(stream string) []modelEvent {
	var own []modelEvent
	for _, e := range m.events {
		if e.stream == stream && e.revision != math.MaxInt64 {
			own = append(own, e)
		}
	}
	return own
}

func (m *model) tombstoned(stream string) bool {
	for _, e := range m.events {
		if e.stream == strings.TrimPrefix(stream, "$$") && e.revision == math.MaxInt64 {
			return true
		}
	}
	return false
}

func (m *model) soft(stream string) bool { return m.truncated(stream) == math.MaxInt64 }

func (m *model) truncated(stream string) int64 {
	meta := m.of("$$" + stream)
	if strings.HasPrefix(stream, "$$") || len(meta) == 0 {
		return -1
	}
	return meta[len(meta)-1].tb
}

func (m *model) position(stream string, revision int64) int {
	for i, e := range m.events {
		if e.stream == stream && e.revision == revision {
			return i + 1
		}
	}
	panic("no such event")
}

func (m *model) add(stream string, id uuid.UUID, tb int64) {
	m.events = append(m.events, modelEvent{stream: stream, revision: int64(len(m.of(stream))), id: id, tb: tb})
}

const (
	isDeleted = "deleted"
	isWrong   = "wrong"
)

// check is section 5 of the contract, rule by rule: what the answer is, and whether to write.
func (m *model) check(stream string, expected eventlog.Expected, ids []uuid.UUID) (answer string, write bool) {
	own := m.of(stream)
	cur := int64(len(own)) - 1
	wrong := fmt.Sprintf("%s %d", isWrong, cur)
	repeat := func(revision int64) string {
		position := m.position(stream, revision)
		if revision < m.truncated(stream) {
			position = 0
		}
		return fmt.Sprintf("repeat %d at %d", revision, position)
	}
	if m.tombstoned(stream) {
		return isDeleted, false
	}
	if expected == eventlog.StreamExists {
		if m.soft(stream) {
			return isDeleted, false
		}
		if cur == -1 && (strings.HasPrefix(stream, "$$") || len(m.of("$$"+stream)) == 0) {
			return wrong, false
		}
	}
	nothing := fmt.Sprintf("nothing %d", cur)
	if expected == eventlog.StreamExists || expected == eventlog.Any {
		if len(ids) == 0 {
			return nothing, false
		}
		last := int64(-1)
		for i, id := range ids {
			known := int64(-1)
			for _, e := range own {
				if e.id == id {
					known = e.revision
				}
			}
			if known == -1 && i == 0 {
				return "", true
			}
			if known == -1 {
				return wrong, false
			}
			last = known
		}
		return repeat(last), false
	}
	r := int64(expected)
	switch {
	case r > cur:
		return wrong, false
	case r == cur && len(ids) == 0:
		return nothing, false
	case r == cur:
		return "", true
	case len(ids) == 0:
		return wrong, false
	}
	for i, id := range ids {
		at := r + 1 + int64(i)
		if at <= cur && own[at].id == id {
			continue
		}
		if i == 0 && expected == eventlog.NoStream && m.soft(stream) {
			return "", true
		}
		return wrong, false
	}
	return repeat(r + int64(len(ids))), false
}

func (m *model) append(stream string, expected eventlog.Expected, tb int64, ids ...uuid.UUID) string {
	answer, write := m.check(stream, expected, ids)
	if !write {
		return answer
	}
	base, isMeta := strings.CutPrefix(stream, "$$")
	if !isMeta {
		base = stream
	}
	wasSoft := m.soft(base)
	first := int64(len(m.of(base)))
	for _, id := range ids {
		m.add(stream, id, tb)
	}
	answer = fmt.Sprintf("written %d at %d", len(m.of(stream))-1, len(m.events))
	if wasSoft && (!isMeta || tb >= 0) { // metadata that is not JSON is no metadata, and leaves nothing to correct
		m.add("$$"+base, uuid.Nil, first)
	}
	return answer
}

func (m *model) delete(stream string, expected eventlog.Expected) string {
	answer, write := m.check(stream, expected, []uuid.UUID{uuid.New()})
	if !write {
		return answer
	}
	if len(m.of(stream)) == 0 && len(m.of("$$"+stream)) == 0 {
		return fmt.Sprintf("%s %d", isWrong, -1)
	}
	m.add("$$"+stream, uuid.Nil, math.MaxInt64)
	return fmt.Sprintf("ended at %d", len(m.events))
}

func (m *model) tombstone(stream string, expected eventlog.Expected) string {
	answer, write := m.check(stream, expected, []uuid.UUID{uuid.New()})
	if !write {
		return answer
	}
	m.events = append(m.events, modelEvent{stream: stream, revision: math.MaxInt64, tb: -1})
	return fmt.Sprintf("ended at %d", len(m.events))
}

// tell says an answer of the log in the model's words.
func tell(done eventlog.Appended, err error) string {
	var wrong *eventlog.WrongRevision
	var deleted *eventlog.StreamDeleted
	switch {
	case errors.As(err, &wrong):
		return fmt.Sprintf("%s %d", isWrong, wrong.Current)
	case errors.As(err, &deleted):
		return isDeleted
	case err != nil:
		return err.Error()
	case done.Repeat:
		return fmt.Sprintf("repeat %d at %d", done.Revision, done.Position)
	case done.Position == 0:
		return fmt.Sprintf("nothing %d", done.Revision)
	}
	return fmt.Sprintf("written %d at %d", done.Revision, done.Position)
}

func tellEnd(p eventlog.Position, err error) string {
	if err != nil {
		return tell(eventlog.Appended{}, err)
	}
	return fmt.Sprintf("ended at %d", p)
}

func proposals(tb int64, ids []uuid.UUID) []eventlog.Event {
	events := make([]eventlog.Event, len(ids))
	for i, id := range ids {
		events[i] = eventlog.Event{ID: id, Type: "t"}
		if tb >= 0 {
			events[i].JSON, events[i].Data = true, fmt.Appendf(nil, `{"$tb":%d}`, tb)
		}
	}
	return events
}

// TestEveryOrderOfThreeIDs proposes every sequence of up to three ids, with every expectation, to a stream that holds any
// such sequence, be it deleted or not.
func TestEveryOrderOfThreeIDs(t *testing.T) {
	t.Parallel()
	l := open(t, eventlog.Options{NoSync: true})
	longest := 3
	if raceDetector {
		longest = 2
	}
	sequences := sequencesOf([]uuid.UUID{uuid.New(), uuid.New(), uuid.New()}, longest)
	expectations := []eventlog.Expected{eventlog.Any, eventlog.NoStream, eventlog.StreamExists, 0, 1, 2, 3}
	for i, held := range sequences {
		for j, proposed := range sequences {
			m := &model{} // streams do not touch each other, so each round has a model of its own
			offset := l.Head()
			var fill, propose []eventlog.Operation
			for _, expected := range expectations {
				for _, deleted := range []bool{false, true} {
					stream := fmt.Sprintf("s-%d-%d-%d-%v", i, j, expected, deleted)
					for n, id := range held {
						fill = append(fill, appendOf(stream, eventlog.Expected(n-1), id))
					}
					if deleted && len(held) > 0 {
						fill = append(fill, eventlog.Operation{Stream: stream, Expected: eventlog.Any, Delete: true})
					}
					propose = append(propose, appendOf(stream, expected, proposed...))
				}
			}
			together(t, l, m, offset, fill)
			together(t, l, m, offset, propose)
			if got, want := l.Head()-offset, len(m.events); int(got) != want {
				t.Fatalf("holding sequence %d, proposing sequence %d: wrote %d events, want %d", i, j, got, want)
			}
		}
	}
}

func appendOf(stream string, expected eventlog.Expected, ids ...uuid.UUID) eventlog.Operation {
	return eventlog.Operation{Stream: stream, Expected: expected, Events: proposals(-1, ids)}
}

// together has the log and the model do the same; the model began when the log's head was at offset.
func together(t *testing.T, l *eventlog.Log, m *model, offset eventlog.Position, operations []eventlog.Operation) {
	t.Helper()
	for i, answer := range l.Together(operations) {
		o := operations[i]
		if answer.Position > 0 {
			answer.Position -= offset
		}
		var got, want string
		if o.Delete {
			got, want = tellEnd(answer.Position, answer.Err), m.delete(o.Stream, o.Expected)
		} else {
			var ids []uuid.UUID
			for _, e := range o.Events {
				ids = append(ids, e.ID)
			}
			got, want = tell(answer.Appended, answer.Err), m.append(o.Stream, o.Expected, -1, ids...)
		}
		if got != want {
			t.Fatalf("%s, %d events at %d: %s, want %s", o.Stream, len(o.Events), o.Expected, got, want)
		}
	}
}

func sequencesOf(ids []uuid.UUID, longest int) [][]uuid.UUID {
	all := [][]uuid.UUID{nil}
	for from := 0; longest > 0; longest-- {
		to := len(all)
		for _, shorter := range all[from:to] {
			for _, id := range ids {
				all = append(all, append(append([]uuid.UUID(nil), shorter...), id))
			}
		}
		from = to
	}
	return all
}

// TestRandomOperations runs random lists of appends, metadata, deletions, tombstones and restarts against the model, some of
// them decided in one commit.
func TestRandomOperations(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		fs := vfs.NewMem()
		l := reopen(t, nil, fs)
		defer func() { _ = l.Close() }()
		m := &model{}
		for range rapid.IntRange(1, 12).Draw(t, "groups") {
			var group []eventlog.Operation
			var want []string
			for range rapid.IntRange(1, 6).Draw(t, "operations") {
				operation, answer := drawOperation(t, m)
				group, want = append(group, operation), append(want, answer)
			}
			for i, got := range l.Together(group) {
				text := tell(got.Appended, got.Err)
				if group[i].Delete || group[i].Tombstone {
					text = tellEnd(got.Position, got.Err)
				}
				if text != want[i] {
					t.Fatalf("operation %d of the group: %s, want %s", i, text, want[i])
				}
			}
			if rapid.IntRange(0, 3).Draw(t, "restart") == 0 {
				l = reopen(t, l, fs)
			}
		}
		compare(t, l, m)
	})
}

var (
	someIDs          = []uuid.UUID{{1}, {2}, {3}, {4}, {5}}
	someStreams      = []string{"a", "a", "a", "ab", "a\x00", "\xff"}
	someExpectations = []eventlog.Expected{
		eventlog.Any, eventlog.Any, eventlog.Any, eventlog.NoStream, eventlog.NoStream, eventlog.StreamExists, 0, 1, 2, 3, 4, 5,
	}
)

// drawOperation also has the model do it.
func drawOperation(t *rapid.T, m *model) (o eventlog.Operation, want string) {
	o.Stream = rapid.SampledFrom(someStreams).Draw(t, "stream")
	o.Expected = rapid.SampledFrom(someExpectations).Draw(t, "expected")
	switch kind := rapid.IntRange(0, 36).Draw(t, "kind"); {
	case kind < 24:
		ids := rapid.SliceOfN(rapid.SampledFrom(someIDs), 0, 4).Draw(t, "ids")
		o.Events = proposals(-1, ids)
		return o, m.append(o.Stream, o.Expected, -1, ids...)
	case kind < 30:
		tb := rapid.SampledFrom([]int64{-1, 0, 1, 2, math.MaxInt64}).Draw(t, "tb")
		ids := []uuid.UUID{uuid.New()}
		o.Stream = "$$" + o.Stream
		o.Events = proposals(tb, ids)
		return o, m.append(o.Stream, o.Expected, tb, ids...)
	case kind < 36:
		o.Delete = true
		return o, m.delete(o.Stream, o.Expected)
	default:
		o.Tombstone = true
		return o, m.tombstone(o.Stream, o.Expected)
	}
}

func reopen(t *rapid.T, l *eventlog.Log, fs vfs.FS) *eventlog.Log {
	if l != nil {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	l, err := eventlog.Open("store", eventlog.Options{FS: fs, NoSync: true, RingEvents: 8})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// compare reads all of the log, both ways and by stream.
func compare(t *rapid.T, l *eventlog.Log, m *model) {
	var want []string
	own := map[string][]string{}
	for i, e := range m.events {
		text := fmt.Sprintf("%d %q@%d", i+1, e.stream, e.revision)
		want = append(want, text)
		if e.revision >= m.truncated(e.stream) {
			own[e.stream] = append(own[e.stream], text)
		}
	}
	checkRecords(t, "log", readForward(t, l), want)
	checkRecords(t, "log backwards", readBackward(t, l), reversed(want))
	for _, e := range m.events {
		s, err := l.Stream(e.stream)
		if m.tombstoned(e.stream) {
			if deleted := (*eventlog.StreamDeleted)(nil); !errors.As(err, &deleted) {
				t.Fatalf("%q: %v, want deleted", e.stream, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if s.Found == m.soft(e.stream) {
			t.Fatalf("%q found: %v, deleted: %v", e.stream, s.Found, m.soft(e.stream))
		}
		visible := own[e.stream]
		if strings.HasPrefix(e.stream, "$$") {
			visible = visible[len(visible)-1:]
		}
		records, err := s.Forward(0, eventlog.Limit{})
		if err != nil {
			t.Fatal(err)
		}
		checkRecords(t, e.stream, records, visible)
		if records, err = s.Backward(eventlog.TombstoneRevision, eventlog.Limit{}); err != nil {
			t.Fatal(err)
		}
		checkRecords(t, e.stream+" backwards", records, reversed(visible))
	}
}

func checkRecords(t *rapid.T, what string, records []*eventlog.Record, want []string) {
	var got []string
	for _, r := range records {
		got = append(got, fmt.Sprintf("%d %q@%d", r.Position, r.Stream, r.Revision))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("%s: %s, want %s", what, got, want)
	}
}

func readForward(t *rapid.T, l *eventlog.Log) []*eventlog.Record {
	var all []*eventlog.Record
	for next := eventlog.Position(1); ; next = all[len(all)-1].Position + 1 {
		page, err := l.Forward(next, eventlog.Limit{Events: 3})
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
	}
}

func readBackward(t *rapid.T, l *eventlog.Log) []*eventlog.Record {
	var all []*eventlog.Record
	for below := l.Head() + 1; ; below = all[len(all)-1].Position {
		page, err := l.Backward(below, eventlog.Limit{Events: 3})
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
	}
}

func reversed(texts []string) []string {
	back := make([]string, len(texts))
	for i, text := range texts {
		back[len(texts)-1-i] = text
	}
	return back
}
