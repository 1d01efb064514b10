package node_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// stream is the plainest form of a stream: all its events, and what decides which of them are shown.
type stream struct {
	ids        []uuid.UUID
	metadata   []string // each event of the metastream
	tombstoned bool
}

func (m *stream) limits() (maxCount, truncate int64) {
	if len(m.metadata) == 0 {
		return 0, 0
	}
	var keys struct {
		Count int64 `json:"$maxCount"`
		Tb    int64 `json:"$tb"`
	}
	if json.Unmarshal([]byte(m.metadata[len(m.metadata)-1]), &keys) != nil {
		return 0, 0
	}
	return max(0, keys.Count), max(0, keys.Tb)
}

func (m *stream) deleted() bool {
	_, truncate := m.limits()
	return truncate == math.MaxInt64
}

// first is the lowest revision that is shown.
func (m *stream) first() int64 {
	maxCount, truncate := m.limits()
	if maxCount > 0 {
		truncate = max(truncate, int64(len(m.ids))-maxCount)
	}
	return truncate
}

// undelete lets the stream begin again with what was set.
func (m *stream) undelete(data string) {
	keys := map[string]any{}
	if json.Unmarshal([]byte(data), &keys) != nil {
		return
	}
	m.metadata = append(m.metadata, fmt.Sprintf(`{"$tb":%d}`, len(m.ids)))
	if count, ok := keys["$maxCount"]; ok {
		m.metadata[len(m.metadata)-1] = fmt.Sprintf(`{"$maxCount":%v,"$tb":%d}`, count, len(m.ids))
	}
}

// verdict is what section 5 says of an append: an outcome, and whether to write.
func (m *stream) verdict(expected esdb.ExpectedRevision, ids []uuid.UUID) (outcome string, write bool) {
	if m.tombstoned {
		return "deleted", false
	}
	last := len(m.ids) - 1
	from := 0
	switch e := expected.(type) {
	case esdb.StreamExists:
		if m.deleted() {
			return "deleted", false
		}
		if last < 0 && len(m.metadata) == 0 {
			return "wrong", false
		}
		return m.byID(ids)
	case esdb.Any:
		return m.byID(ids)
	case esdb.StreamRevision:
		if int(e.Value) > last {
			return "wrong", false
		}
		from = int(e.Value) + 1
	}
	if from == len(m.ids) {
		return fmt.Sprint(last + len(ids)), true
	}
	for i, id := range ids {
		if at := from + i; at > last || m.ids[at] != id {
			if _, none := expected.(esdb.NoStream); none && i == 0 && m.deleted() {
				return fmt.Sprint(last + len(ids)), true
			}
			return "wrong", false
		}
	}
	return fmt.Sprint(from + len(ids) - 1), false
}

func (m *stream) byID(ids []uuid.UUID) (string, bool) {
	last := -1
	for i, id := range ids {
		at := -1
		for revision, known := range m.ids {
			if known == id {
				at = revision
			}
		}
		switch {
		case at < 0 && i == 0:
			return fmt.Sprint(len(m.ids) - 1 + len(ids)), true
		case at < 0:
			return "wrong", false
		}
		last = at
	}
	return fmt.Sprint(last), false
}

func (m *stream) append(expected esdb.ExpectedRevision, ids []uuid.UUID) string {
	outcome, write := m.verdict(expected, ids)
	if write {
		deleted, before := m.deleted(), len(m.ids)
		m.ids = append(m.ids, ids...)
		if deleted {
			m.metadata = append(m.metadata, fmt.Sprintf(`{"$tb":%d}`, before))
		}
	}
	return outcome
}

func (m *stream) set(data string) string {
	if m.tombstoned {
		return "deleted"
	}
	deleted := m.deleted()
	m.metadata = append(m.metadata, data)
	written := len(m.metadata) - 1
	if deleted {
		m.undelete(data)
	}
	return fmt.Sprint(written)
}

func (m *stream) end(expected esdb.ExpectedRevision, forEver bool) string {
	outcome, write := m.verdict(expected, []uuid.UUID{uuid.New()})
	switch {
	case !write && outcome != "deleted":
		return "unknown" // a wrong revision has no code of its own here
	case !write:
		return outcome
	case forEver:
		m.tombstoned = true
	case len(m.ids) == 0 && len(m.metadata) == 0:
		return "unknown"
	default:
		m.metadata = append(m.metadata, fmt.Sprintf(`{"$tb":%d}`, math.MaxInt64))
	}
	return "ended"
}

// shown is what reading the stream gives, forwards.
func (m *stream) shown() string {
	switch {
	case m.tombstoned:
		return "deleted"
	case len(m.ids) == 0 || m.deleted():
		return "not found"
	}
	var text []string
	for revision := m.first(); revision < int64(len(m.ids)); revision++ {
		text = append(text, fmt.Sprintf("%d:%s", revision, m.ids[revision]))
	}
	return strings.Join(text, " ")
}

// meta is what reading the metastream gives.
func (m *stream) meta() string {
	switch {
	case m.tombstoned:
		return "deleted"
	case len(m.metadata) == 0:
		return "not found"
	}
	last := len(m.metadata) - 1
	return fmt.Sprintf("%d %s", last, m.metadata[last])
}

// told is an error of the client in the model's words.
func told(err error) string {
	switch codeOf(err) {
	case esdb.ErrorCodeStreamDeleted:
		return "deleted"
	case esdb.ErrorCodeWrongExpectedVersion:
		return "wrong"
	case esdb.ErrorCodeResourceNotFound:
		return "not found"
	case esdb.ErrorCodeUnknown:
		return "unknown"
	}
	return fmt.Sprint(err)
}

// TestRandomLives does random appends, deletions, tombstones and metadata changes through the official client, with restarts in between,
// and compares each answer and all that is read with the model.
func TestRandomLives(t *testing.T) {
	t.Parallel()
	d := startDurable(t)
	client := connect(t, d.url)
	runs := 0
	rapid.Check(t, func(r *rapid.T) {
		runs++
		models := map[string]*stream{}
		ids := map[byte]uuid.UUID{'a': uuid.New(), 'b': uuid.New(), 'c': uuid.New()}
		steps := rapid.IntRange(1, 25).Draw(r, "steps")
		for range steps {
			name := fmt.Sprintf("%d-%s", runs, rapid.SampledFrom([]string{"x", "y"}).Draw(r, "stream"))
			if models[name] == nil {
				models[name] = &stream{}
			}
			if rapid.IntRange(0, 60).Draw(r, "restart") == 0 {
				_ = client.Close()
				d.reopen()
				client = connect(t, d.url)
			}
			step(r, client, name, models[name], ids)
		}
		for name, m := range models {
			compareStream(r, client, name, m)
		}
	})
}

func drawExpected(r *rapid.T) esdb.ExpectedRevision {
	switch rapid.IntRange(0, 5).Draw(r, "expected") {
	case 0:
		return esdb.NoStream{}
	case 1:
		return esdb.StreamExists{}
	case 2, 3:
		return esdb.Any{}
	default:
		return esdb.Revision(rapid.Uint64Range(0, 6).Draw(r, "revision"))
	}
}

func step(r *rapid.T, client *esdb.Client, name string, m *stream, ids map[byte]uuid.UUID) {
	expected := drawExpected(r)
	var got, want string
	operation := rapid.SampledFrom([]string{"append", "append", "append", "append", "delete", "delete", "set", "set", "tombstone"}).Draw(r, "operation")
	switch operation {
	case "append":
		var events []esdb.EventData
		var proposed []uuid.UUID
		for _, letter := range []byte(rapid.StringOfN(rapid.RuneFrom([]rune("abc")), 1, 3, -1).Draw(r, "ids")) {
			event := proposal("x")
			event.EventID = ids[letter]
			events, proposed = append(events, event), append(proposed, event.EventID)
		}
		want = m.append(expected, proposed)
		result, err := client.AppendToStream(r.Context(), name, esdb.AppendToStreamOptions{ExpectedRevision: expected}, events...)
		if got = told(err); err == nil {
			got = fmt.Sprint(result.NextExpectedVersion)
		}
	case "set":
		data := rapid.SampledFrom([]string{
			`{"$maxCount":2}`, `{"$maxCount":1,"$tb":3}`, `{"$tb":2}`, `{"$tb":9}`, `{"$tb":9223372036854775807}`, `{}`, `not JSON`,
		}).Draw(r, "metadata")
		want = m.set(data)
		event := esdb.EventData{EventType: "$metadata", ContentType: esdb.ContentTypeJson, Data: []byte(data)}
		result, err := client.AppendToStream(r.Context(), "$$"+name, esdb.AppendToStreamOptions{}, event)
		if got = told(err); err == nil {
			got = fmt.Sprint(result.NextExpectedVersion)
		}
	case "delete":
		want = m.end(expected, false)
		result, err := client.DeleteStream(r.Context(), name, esdb.DeleteStreamOptions{ExpectedRevision: expected})
		if got = told(err); err == nil && result.Position.Commit > 0 {
			got = "ended"
		}
	case "tombstone":
		if rapid.IntRange(0, 3).Draw(r, "really") > 0 {
			return // a stream that has ended has little more to show
		}
		want = m.end(expected, true)
		result, err := client.TombstoneStream(r.Context(), name, esdb.TombstoneStreamOptions{ExpectedRevision: expected})
		if got = told(err); err == nil && result.Position.Commit > 0 {
			got = "ended"
		}
	}
	if got != want {
		r.Fatalf("%s of %s expecting %T%v: got %s, want %s", operation, name, expected, expected, got, want)
	}
	compareStream(r, client, name, m)
}

// compareStream reads the stream both ways, and its metastream.
func compareStream(r *rapid.T, client *esdb.Client, name string, m *stream) {
	of := func(e *esdb.RecordedEvent) string { return fmt.Sprintf("%d:%s", e.EventNumber, e.EventID) }
	forwards := readWords(r, client, name, esdb.Forwards, of)
	backwards := readWords(r, client, name, esdb.Backwards, of)
	slices.Reverse(backwards)
	for way, got := range map[string][]string{"forwards": forwards, "backwards": backwards} {
		if got := strings.Join(got, " "); got != m.shown() {
			r.Fatalf("%s reads %s %q, want %q", name, way, got, m.shown())
		}
	}
	got := readWords(r, client, "$$"+name, esdb.Forwards, func(e *esdb.RecordedEvent) string {
		return fmt.Sprintf("%d %s", e.EventNumber, e.Data)
	})
	if got := strings.Join(got, " "); got != m.meta() {
		r.Fatalf("$$%s reads %q, want %q", name, got, m.meta())
	}
}

func readWords(r *rapid.T, client *esdb.Client, name string, direction esdb.Direction, word func(*esdb.RecordedEvent) string) []string {
	from := esdb.StreamPosition(esdb.Start{})
	if direction == esdb.Backwards {
		from = esdb.End{}
	}
	stream, err := client.ReadStream(r.Context(), name, esdb.ReadStreamOptions{From: from, Direction: direction}, math.MaxUint64)
	if err != nil {
		return []string{told(err)}
	}
	defer stream.Close()
	var words []string
	for {
		event, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return words
		}
		if err != nil {
			return append(words, told(err))
		}
		words = append(words, word(event.Event))
	}
}
