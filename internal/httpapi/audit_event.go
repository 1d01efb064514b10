package httpapi

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
)

// auditEvent is an event as the log holds it. Pages, exports and streams write it in
// the same words, by appendAuditEvent: a whole log goes through it.
type auditEvent struct {
	ID       uuid.UUID         `json:"id"`
	Stream   events.StreamName `json:"stream"`
	Revision events.Revision   `json:"revision"`
	Position events.Position   `json:"position"`
	Type     string            `json:"type"`
	At       time.Time         `json:"at"`
	Data     json.RawMessage   `json:"data"`
	Metadata json.RawMessage   `json:"metadata"`
}

func newAuditEvent(s events.Stored) auditEvent {
	return auditEvent{
		ID: s.ID, Stream: s.Stream, Revision: s.Revision, Position: s.Position, Type: s.Type, At: toldTime(s),
		Data: s.Data, Metadata: s.Metadata,
	}
}

// toldTime is when an event was recorded, as everybody is told it.
func toldTime(s events.Stored) time.Time { return s.At.UTC().Truncate(time.Microsecond) }

// MarshalJSON writes the event as appendAuditEvent does.
func (e auditEvent) MarshalJSON() ([]byte, error) { return appendAuditEvent(nil, &e), nil }

// appendAuditEvent adds an event as JSON on one line, without an end of line.
func appendAuditEvent(b []byte, e *auditEvent) []byte {
	b = append(b, `{"id":"`...)
	b = appendUUID(b, e.ID)
	b = append(b, `","stream":`...)
	b = appendText(b, string(e.Stream))
	b = append(b, `,"revision":`...)
	b = strconv.AppendUint(b, uint64(e.Revision), 10)
	b = append(b, `,"position":"`...)
	b = strconv.AppendUint(b, uint64(e.Position), 10)
	b = append(b, `","type":`...)
	b = appendText(b, e.Type)
	b = append(b, `,"at":"`...)
	b = e.At.AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","data":`...)
	b = appendStored(b, e.Data)
	b = append(b, `,"metadata":`...)
	b = appendStored(b, e.Metadata)
	return append(b, '}')
}

func appendUUID(b []byte, id uuid.UUID) []byte {
	for i, part := range [][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return b
}

// appendText adds a string. Nearly all names stand for themselves.
func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' {
			return appendQuoted(b, text)
		}
	}
	if !utf8.ValidString(text) {
		return appendQuoted(b, text)
	}
	b = append(b, '"')
	b = append(b, text...)
	return append(b, '"')
}

func appendQuoted(b []byte, text string) []byte {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string always has a form
	}
	return append(b, quoted...)
}

// appendStored adds what the store holds: JSON on one line, as this program writes it.
// Other programs may have written anything: JSON on several lines is brought to one,
// and what is no JSON comes as a string in Base64, so that no event keeps the rest of
// the log from being read.
func appendStored(b []byte, stored json.RawMessage) []byte {
	switch {
	case len(stored) == 0:
		return append(b, "null"...)
	case plainJSON(stored):
		return append(b, stored...)
	case !json.Valid(stored):
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, stored)
		return append(b, '"')
	}
	line := bytes.NewBuffer(b)
	if err := json.Compact(line, stored); err != nil {
		panic(err) // it is valid
	}
	return line.Bytes()
}
