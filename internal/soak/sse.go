package soak

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

// Event is one event of a text/event-stream.
type Event struct {
	Name string // "message" unless the stream says otherwise
	Data string
	ID   string // the last id the stream gave, with this event or before it
}

// Decoder takes a text/event-stream apart, as the HTML standard says. It is not safe for concurrent use.
type Decoder struct {
	// Retry is the reconnection time the stream asked for last; 0 when it did not.
	Retry time.Duration

	from    *bufio.Reader
	started bool
	afterCR bool   // the last line ended with CR, so that an LF now belongs to it
	id      string // buffered until the event it came with is dispatched
	lastID  string
	name    string
	data    bytes.Buffer
	hasData bool
}

// maxSSELineBytes bounds a line: an item is at most about 72 KiB.
const maxSSELineBytes = 1 << 20

var errLongLine = errors.New("a line of the stream is too long")

// NewDecoder returns a decoder of what from gives.
func NewDecoder(from io.Reader) *Decoder { return &Decoder{from: bufio.NewReader(from)} }

// Next returns the next event. An event that the stream ends within is lost, as it must be.
func (d *Decoder) Next() (Event, error) {
	for {
		line, err := d.line()
		if err != nil {
			return Event{}, err
		}
		if len(line) > 0 {
			d.field(line)
			continue
		}
		if event, ok := d.dispatch(); ok {
			return event, nil
		}
	}
}

func (d *Decoder) dispatch() (Event, bool) {
	d.lastID = d.id
	event := Event{Name: "message", Data: d.data.String(), ID: d.id}
	if d.name != "" {
		event.Name = d.name
	}
	ok := d.hasData
	d.name, d.hasData = "", false
	d.data.Reset()
	return event, ok
}

func (d *Decoder) field(line []byte) {
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(name) {
	case "event":
		d.name = string(value)
	case "data":
		if d.hasData {
			d.data.WriteByte('\n')
		}
		d.data.Write(value)
		d.hasData = true
	case "id":
		if !bytes.ContainsRune(value, 0) {
			d.id = string(value)
		}
	case "retry":
		if ms, err := strconv.ParseUint(string(value), 10, 31); err == nil {
			d.Retry = time.Duration(ms) * time.Millisecond // 31 bits
		}
	}
}

// line reads up to CR, LF or both. It never waits for a byte after a line that is complete.
func (d *Decoder) line() ([]byte, error) {
	var line []byte
	for {
		b, err := d.from.ReadByte()
		if err != nil {
			return nil, fmt.Errorf("read stream: %w", err)
		}
		if d.afterCR {
			d.afterCR = false
			if b == '\n' {
				continue
			}
		}
		if b == '\n' || b == '\r' {
			d.afterCR = b == '\r'
			return d.withoutBOM(line), nil
		}
		if line = append(line, b); len(line) > maxSSELineBytes {
			return nil, errLongLine
		}
	}
}

func (d *Decoder) withoutBOM(line []byte) []byte {
	if d.started {
		return line
	}
	d.started = true
	return bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
}
