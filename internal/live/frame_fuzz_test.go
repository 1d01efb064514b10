package live

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/tidings-io/tidings/internal/events"
)

// FuzzFrame: whatever the log holds that can be read makes a frame of one line, which
// is JSON and names nobody but its reader: no text that was published can end an event
// of the stream, or begin another. What failed once, and what led to new code, is kept
// in testdata/fuzz.
func FuzzFrame(f *testing.F) {
	for _, s := range [][2]string{
		{"Published", `{"notification_id":"018f2f6e-9a3b-7c4d-8e5f-60718293a4b5","to":["topic:a","user:ann","user:bob"],"content":{"title":"a\nb\r\rdata: x","data":{"a" :` + "\n\r\n" + `"\u2028"}}}`},
		{"Published", `{"to":[],"content":{"data":null},"expires_at":"9999-12-31T23:59:59-23:59"}`}, {"Published", `{"content":{"data": [1e999,"\ud800"]}}`},
		{"Published", `{"to":["user:ann"],"expires_at":"0000-01-01T00:00:00+23:59","severity":"critical"}`},
		{"Retracted", `{"notification_id":"018f2f6e-9a3b-7c4d-8e5f-60718293a4b5","to":["user:bob"]}`}, {"ItemsRead", `{"user":"ann","through":"9223372036854775806"}`},
		{"ItemsDeleted", `{"ids":["urn:uuid:018f2f6e-9a3b-7c4d-8e5f-60718293a4b5"]}`}, {"ItemsSeen", `{}`},
	} {
		f.Add(s[0], []byte(s[1]))
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		r, err := events.Decode(events.Stored{Position: 7, At: time.Now(), Type: name, Data: data, Metadata: []byte(`{"schema_version":1}`)})
		if err != nil {
			t.Skip("not to be read")
		}
		switch r.Event.(type) {
		case events.Published, events.Retracted, events.InboxEvent:
		default:
			t.Skip("tells nobody anything")
		}
		e := newLogged(r, len(data))
		for _, reader := range []events.User{"ann", "cyd"} {
			frame := e.frame(reader)
			if !json.Valid(frame.Data) || bytes.ContainsAny(frame.Data, "\r\n") {
				t.Fatalf("%s of %s: %q", frame.Event, data, frame.Data)
			}
			var told struct {
				To []events.Target `json:"to"`
			}
			if err := json.Unmarshal(frame.Data, &told); err != nil {
				t.Fatalf("%q: %v", frame.Data, err)
			}
			for _, to := range told.To {
				if to.User != "" && to.User != reader {
					t.Errorf("%s is told of %s", reader, to)
				}
			}
		}
	})
}
