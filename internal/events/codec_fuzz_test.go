package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzDecode: whatever the store holds under a type's name is an event or an error.
// What can be decoded can be stored again, and is then the same. Its seeds are the
// stored forms, and what is wrong with them in some way.
func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "stored", "*.json"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		var s storedForm
		if err = errors.Join(err, json.Unmarshal(text, &s)); err != nil {
			f.Fatal(err)
		}
		name, _, _ := strings.Cut(filepath.Base(file), ".")
		f.Add(name, []byte(s.Data), []byte(s.Metadata))
	}
	hostile := map[string][]string{
		"Published": {
			`{"to":[null]}`, `{"to":[{}]}`, `{"to":null,"content":{"data":null}}`, `{"to":["topic:a","topic:cafe\u0301"],"content":{"data":{ "<" : 1e999 }}}`,
			`{"expires_at":"9999-12-31T23:59:59-23:59"}`, `{"expires_at":"0000-01-01T00:00:00+23:59"}`, `{"severity":null}`, `{"severity":3}`, `{"notification_id":"urn:uuid:018f2f6e-9a3b-7c4d-8e5f-60718293a4b5"}`,
			`{"content":{"title":"\ud800","body":"\u2028"}}`, "{\"content\":{\"title\":\"\xff\"}}", `null`, `[]`, ``, `{"CONTENT":{"TITLE":"x"}}`,
		},
		"Retracted":      {`{"published_position":"9223372036854775807"}`, `{"published_position":null}`, `{"to":[null,"user:a"]}`},
		"ItemsRead":      {`{"ids":[]}`, `{"ids":[null]}`, `{"through":"0"}`, `{"through":7}`},
		"PreferencesSet": {`{"channels":{"":{}},"muted_topics":[]}`, `{"channels":{"a":null},"quiet_hours":{}}`},
		"Subscribed":     {`{"filter":""}`, `{"filter":"(","min_severity":"LOW"}`},
		"EventSkipped":   {`{"position":"-1"}`, `{}`},
		"RebuildOrdered": {`{"version":-9223372036854775808}`, `{"version":1.5}`, `{"version":1e1}`},
		"StoreNamed":     {`{"store_id":"x"}`},
		"UserVanished":   {`{}`},
	}
	for _, name := range slices.Sorted(maps.Keys(hostile)) {
		for _, data := range hostile[name] {
			f.Add(name, []byte(data), []byte(`{"schema_version":1}`))
		}
	}
	for _, metadata := range []string{
		``, `null`, `[]`, `{"schema_version":0}`, `{"schema_version":3}`, `{"schema_version":2,"command_id":null}`, `{"schema_version":1,"traceparent":"\u0000","actor":"\ud800"}`,
		`{"schema_version":1,"command_id":"{018f2f6e-9a3b-7c4d-8e5f-60718293a4b5}"}`, `{"schema_version":1e0}`, `{"SCHEMA_VERSION":1}`,
	} {
		f.Add("Subscribed", []byte(`{"user":"alice","topic":"builds","min_severity":"high"}`), []byte(metadata))
	}
	f.Fuzz(func(t *testing.T, name string, data, metadata []byte) {
		if len(data)+len(metadata) > MaxAppendBytes {
			t.Skip("no store takes it")
		}
		first, err := Decode(Stored{Stream: "s", Position: 7, Type: name, Data: data, Metadata: metadata})
		if err != nil {
			if first.Event != nil {
				t.Errorf("%v beside %v", first.Event, err)
			}
			return
		}
		if first.Event.Type() != name {
			t.Fatalf("%q decoded to %q", name, first.Event.Type())
		}
		second := again(t, first)
		third := again(t, second)
		if diff := cmp.Diff(second, third); diff != "" {
			t.Errorf("stored once (-) and again (+):\n%s", diff)
		}
		one, err1 := json.Marshal(first.Event)
		two, err2 := json.Marshal(second.Event)
		if err1 != nil || err2 != nil || !bytes.Equal(one, two) {
			t.Errorf("as it was found %s, %v, and stored again %s, %v", one, err1, two, err2)
		}
	})
}

// again stores an event a second time and reads it. The metadata stays but for the
// version, which is one that says all of the event.
func again(t *testing.T, r Recorded) Recorded {
	t.Helper()
	p, err := Encode(r.Event, r.Stream, 0, r.Metadata)
	if err != nil {
		t.Fatalf("encode %+v: %v", r, err)
	}
	got, err := Decode(Stored{Stream: r.Stream, Position: r.Position, Type: p.Type, Data: p.Data, Metadata: p.Metadata})
	if err != nil {
		t.Fatalf("encoded as %s, %s: %v", p.Data, p.Metadata, err)
	}
	want := r.Metadata
	want.SchemaVersion = got.Metadata.SchemaVersion
	if diff := cmp.Diff(want, got.Metadata); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	return got
}
