package eventlog_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// model is the log in its plainest form: a list, searched from end to end.
type model struct {
	events []modelEvent
	next   eventlog.Position // of the next event
	// loose: the log was opened since the last event, and may go on above next.
	loose bool
	now   time.Time
}

type modelEvent struct {
	stream   string
	revision int64
	position eventlog.Position
	id       uuid.UUID // zero: the log chose it
	created  time.Time
	json     bool
	data     string
}

func newModel() *model { return &model{next: 1, loose: true, now: time.Unix(1_700_000_000, 0)} }

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

// modelMetadata is what section 10 of the contract makes of a metadata event; −1: no limit.
type modelMetadata struct{ maxCount, maxAge, tb int64 }

var noMetadata = modelMetadata{maxCount: -1, maxAge: -1, tb: -1}

func (m *model) metadata(stream string) modelMetadata {
	if strings.HasPrefix(stream, "$$") {
		return modelMetadata{maxCount: 1, maxAge: -1, tb: -1}
	}
	own := m.of("$$" + stream)
	if len(own) == 0 || !own[len(own)-1].json {
		return noMetadata
	}
	return modelMetadataOf(own[len(own)-1].data)
}

func modelMetadataOf(data string) modelMetadata {
	var keys map[string]any
	decoder := json.NewDecoder(strings.NewReader(data))
	decoder.UseNumber()
	if decoder.Decode(&keys) != nil || decoder.More() {
		return noMetadata
	}
	found := noMetadata
	for key, lowest := range map[string]struct {
		into *int64
		from int64
	}{"$maxCount": {&found.maxCount, 1}, "$maxAge": {&found.maxAge, 1}, "$tb": {&found.tb, 0}} {
		value, ok := keys[key]
		if !ok || value == nil {
			continue
		}
		number, ok := value.(json.Number)
		if !ok {
			return noMetadata
		}
		n, err := number.Int64()
		if err != nil {
			return noMetadata
		}
		if n >= lowest.from {
			*lowest.into = n
		}
	}
	return found
}

func (m *model) soft(stream string) bool { return m.metadata(stream).tb == math.MaxInt64 }

func (m *model) exists(stream string) bool { return len(m.of(stream)) > 0 && !m.soft(stream) }

func (m *model) visible(e modelEvent) bool {
	meta := m.metadata(e.stream)
	if e.revision < meta.tb {
		return false
	}
	if meta.maxCount > 0 && e.revision <= int64(len(m.of(e.stream)))-1-meta.maxCount {
		return false
	}
	return meta.maxAge < 0 || m.now.Sub(e.created).Seconds() <= float64(meta.maxAge)
}

// read is what a stream shows.
func (m *model) read(stream string) []modelEvent {
	var shown []modelEvent
	for _, e := range m.of(stream) {
		if m.visible(e) {
			shown = append(shown, e)
		}
	}
	return shown
}

func (m *model) add(stream string, e eventlog.Event) {
	m.events = append(m.events, modelEvent{
		stream: stream, revision: int64(len(m.of(stream))), position: m.next, id: e.ID, created: m.now, json: e.JSON, data: string(e.Data),
	})
	m.next, m.loose = m.next+1, false
}

func (m *model) addMetadata(base, data string) {
	m.add("$$"+base, eventlog.Event{JSON: true, Data: []byte(data)})
}

// place tells the model where the log put the first event since it was opened. It refuses a position that was used.
func (m *model) place(first eventlog.Position) {
	if m.loose && first >= m.next {
		m.next = first
	}
}

func (m *model) opened() { m.loose = true }

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
		position := own[revision].position
		if !strings.HasPrefix(stream, "$$") && !m.visible(own[revision]) {
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

func (m *model) append(stream string, expected eventlog.Expected, events []eventlog.Event) string {
	ids := make([]uuid.UUID, len(events))
	for i, e := range events {
		ids[i] = e.ID
	}
	answer, write := m.check(stream, expected, ids)
	if !write {
		return answer
	}
	base, isMeta := strings.CutPrefix(stream, "$$")
	if !isMeta {
		base = stream
	}
	wasSoft, first := m.soft(base), len(m.of(base))
	var old string
	if wasSoft && !isMeta {
		own := m.of("$$" + base)
		old = own[len(own)-1].data
	}
	for _, e := range events {
		m.add(stream, e)
	}
	answer = fmt.Sprintf("written %d at %d", len(m.of(stream))-1, m.next-1)
	if last := events[len(events)-1]; wasSoft && isMeta {
		if !last.JSON { // it is no metadata, and leaves nothing to correct
			return answer
		}
		old = string(last.Data)
	}
	if wasSoft {
		if data, ok := restarted(old, first); ok {
			m.addMetadata(base, data)
		}
	}
	return answer
}

// restarted is the same metadata, with the events before first hidden.
func restarted(data string, first int) (string, bool) {
	var keys map[string]json.RawMessage
	if json.NewDecoder(strings.NewReader(data)).Decode(&keys) != nil || keys == nil {
		return "", false
	}
	keys["$tb"] = fmt.Appendf(nil, "%d", first)
	again, err := json.Marshal(keys)
	return string(again), err == nil
}

func (m *model) delete(stream string, expected eventlog.Expected) string {
	answer, write := m.check(stream, expected, []uuid.UUID{uuid.New()})
	if !write {
		return answer
	}
	if len(m.of(stream)) == 0 && len(m.of("$$"+stream)) == 0 {
		return fmt.Sprintf("%s %d", isWrong, -1)
	}
	m.addMetadata(stream, `{"$tb":9223372036854775807}`)
	return fmt.Sprintf("ended at %d", m.next-1)
}

func (m *model) tombstone(stream string, expected eventlog.Expected) string {
	answer, write := m.check(stream, expected, []uuid.UUID{uuid.New()})
	if !write {
		return answer
	}
	m.add(stream, eventlog.Event{})
	m.events[len(m.events)-1].revision = math.MaxInt64
	return fmt.Sprintf("ended at %d", m.next-1)
}

// expect has the model do an operation that the log has done, and says both answers.
func (m *model) expect(o eventlog.Operation, got eventlog.Answer) (told, want string) {
	switch {
	case o.Delete:
		m.place(got.Position)
		return tellEnd(got.Position, got.Err), m.delete(o.Stream, o.Expected)
	case o.Tombstone:
		m.place(got.Position)
		return tellEnd(got.Position, got.Err), m.tombstone(o.Stream, o.Expected)
	}
	if n := eventlog.Position(len(o.Events)); got.Position >= n && !got.Repeat {
		m.place(got.Position - n + 1)
	}
	return tell(got.Appended, got.Err), m.append(o.Stream, o.Expected, o.Events)
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
