package replay

import (
	"bytes"
	"io"
	"strconv"
	"time"
)

// message is one event of a text/event-stream.
type message struct {
	name string
	data []byte // valid until the next one
	id   string // "" where it has none
}

// messages takes a stream apart as the API writes it: lines end with LF, and an event has one line of data.
type messages struct {
	from *lines
	// retry is how long the stream asked to wait before coming again; 0 where it did not.
	retry time.Duration
	data  []byte
}

func newMessages(from io.Reader) *messages { return &messages{from: newLines(from)} }

// next returns the next event. One that the stream ends within is lost, as it must be.
func (m *messages) next() (message, error) {
	var one message
	m.data = m.data[:0]
	for {
		line, err := m.from.next()
		if err != nil {
			return one, err
		}
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			if one.name == "" && len(m.data) == 0 && one.id == "" {
				continue // a comment, or retry alone
			}
			one.data = m.data
			return one, nil
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "event":
			one.name = string(value)
		case "data":
			m.data = append(m.data, value...)
		case "id":
			one.id = string(value)
		case "retry":
			if ms, err := strconv.ParseUint(string(value), 10, 31); err == nil {
				m.retry = time.Duration(ms) * time.Millisecond // 31 bits
			}
		}
	}
}
