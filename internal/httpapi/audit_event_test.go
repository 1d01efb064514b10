package httpapi

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
)

// plainCases are texts with whether they are plain JSON.
var plainCases = map[string]bool{
	`{}`: true, `[]`: true, `""`: true, `0`: true, `-7`: true, `true`: true, `null`: true, ` { "a" : [ 1 , "b" ] } `: true,
	`{"a":{"b":[{},[],"\"\\\/\b\f\n\r\t\u00e9é"]}}`: true, `12345678901234567890`: true,
	``: false, ` `: false, `{`: false, `[1,]`: false, `[,1]`: false, `{"a"}`: false, `{"a":}`: false, `{"a":1,}`: false, `{a:1}`: false, `{"a":1 "b":2}`: false,
	`"`: false, `"\"`: false, `"\x"`: false, `"\u12g4"`: false, `"\u12`: false, "\"\x01\"": false, `01`: false, `-`: false, `--1`: false, `+1`: false, `tru`: false, `nulls`: false, `1 2`: false,
	"{\n}": false, "[1,\r\n2]": false, // JSON, but not on one line
	`1.5`: false, `1e3`: false, // JSON, looked at slowly
	strings.Repeat("[", 2*plainDepth) + strings.Repeat("]", 2*plainDepth): false,
}

func TestPlainJSON(t *testing.T) {
	t.Parallel()
	for text, want := range plainCases {
		if got := plainJSON([]byte(text)); got != want {
			t.Errorf("%.60q: got %v, want %v", text, got, want)
		}
	}
}

// FuzzStoredJSON: whatever the store holds becomes valid JSON on one line that means the
// same, or, where it is no JSON, the same bytes.
func FuzzStoredJSON(f *testing.F) {
	for text := range plainCases {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, stored []byte) {
		if plainJSON(stored) && !json.Valid(stored) {
			t.Fatalf("%q is taken for JSON", stored)
		}
		got := appendStored(nil, stored)
		if !json.Valid(got) || bytes.ContainsAny(got, "\r\n") {
			t.Fatalf("%q becomes %q, which is not JSON on one line", stored, got)
		}
		var want, back any
		switch err := json.Unmarshal(got, &back); {
		case err != nil:
			t.Skip("a number that Go cannot hold")
		case len(stored) == 0:
		case json.Valid(stored):
			if err := json.Unmarshal(stored, &want); err != nil || !reflect.DeepEqual(back, want) {
				t.Fatalf("%q becomes %q", stored, got)
			}
		default:
			var raw []byte
			if err := json.Unmarshal(got, &raw); err != nil || !bytes.Equal(raw, stored) {
				t.Fatalf("%q becomes %q, which is not its Base64", stored, got)
			}
		}
	})
}

// TestAnEventIsWrittenAsJSONHasIt, with names that other programs may have chosen.
func TestAnEventIsWrittenAsJSONHasIt(t *testing.T) {
	t.Parallel()
	type plain auditEvent // without its own way to be written
	for _, name := range []string{"topic-a", "topic-é", "x\"y", `x\y`, "x\ny", "x\x00", "\xff", "<&>", "\u2028"} {
		e := auditEvent{
			ID: uuid.MustParse("018f2f6e-9a3b-7c4d-8e5f-60718293a4b5"), Stream: events.StreamName(name), Type: name, Revision: 1<<64 - 1,
			Position: events.MaxPosition, At: time.Date(2030, 1, 2, 3, 4, 5, 678901000, time.UTC),
			Data: json.RawMessage(`{"a":1}`), Metadata: json.RawMessage(`{}`),
		}
		written, err := json.Marshal(plain(e))
		if err != nil {
			t.Fatal(err)
		}
		var got, want map[string]any
		if err := json.Unmarshal(appendAuditEvent(nil, &e), &got); err != nil {
			t.Fatalf("%q: %v in %s", name, err, appendAuditEvent(nil, &e))
		}
		if err := json.Unmarshal(written, &want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %s, want %s", appendAuditEvent(nil, &e), written)
		}
		if bytes.ContainsAny(appendAuditEvent(nil, &e), "\r\n") {
			t.Errorf("%q is on several lines", name)
		}
	}
}

func BenchmarkAppendAuditEvent(b *testing.B) {
	e := auditEvent{
		Stream: "batch-018f2f6e-9a3b-8c4d-8e5f-607182930000", Type: "Published", At: time.Now().UTC(),
		Data:     json.RawMessage(`{"notification_id":"018f2f6e-9a3b-7c4d-8e5f-60718293a4b5","to":["topic:builds"],"severity":"high","sender":"ci","content":{"title":"main is red","body":"3 of 1,204 tests failed; the log has their names.","data":{"branch":"main","build":42}}}`),
		Metadata: json.RawMessage(`{"command_id":"018f2f6e-9a3b-7c4d-8e5f-60718293a4b5","body_hash":"1174596d321ea1feea25503fc594f432d17dc61931bcc56f33b425bcd970163a","$correlationId":"018f2f6e-9a3b-7c4d-8e5f-60718293a4b5","$causationId":"018f2f6e-9a3b-7c4d-8e5f-60718293a4b5","actor":"ci","schema_version":1}`),
	}
	var buffer []byte
	for b.Loop() {
		buffer = appendAuditEvent(buffer[:0], &e)
	}
	b.SetBytes(int64(len(buffer)))
}
