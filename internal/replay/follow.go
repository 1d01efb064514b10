package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/tidings-io/tidings/internal/workload"
)

const (
	// streamSilence is how long a stream may bring nothing: it has a heartbeat every 15 s.
	streamSilence = 45 * time.Second
	// firstWait is waited before a stream is opened anew, twice as long after each that brought nothing, up to maxWait.
	firstWait, maxWait = 100 * time.Millisecond, 10 * time.Second
)

// Follow yields what the log's pick means after a position, and goes on with what is recorded, in order, each event
// once, until ctx ends or the server refuses for good. With neither a position nor a From it begins with what is recorded
// next. A stream that ends is opened again after the last position it told; Broken is told why. An error is the last
// thing it yields.
func (l *Log) Follow(ctx context.Context, after string) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		f := following{log: l, cursor: after}
		for idle := 0; ; {
			before := f.cursor
			err := f.once(ctx, yield)
			var broken *brokenError
			switch {
			case errors.Is(err, errEnough):
				return
			case ctx.Err() != nil:
				yield(Event{}, context.Cause(ctx))
				return
			case !errors.As(err, &broken):
				yield(Event{}, fmt.Errorf("follow the audit trail: %w", err))
				return
			}
			if idle++; f.cursor != before {
				idle = 0
			}
			if l.Broken != nil {
				l.Broken(err)
			}
			if err := workload.Pause(ctx, f.pause(idle)); err != nil {
				yield(Event{}, err)
				return
			}
		}
	}
}

// following is a stream that is opened again and again.
type following struct {
	log    *Log
	cursor string // the last id that a stream told; "" before the first
	at     uint64 // the last event's position
	retry  time.Duration
}

// pause is how long to wait before the stream is opened again: as the server asked, and with jitter, so that readers
// whom one event sent away do not all come back at once.
func (f *following) pause(idle int) time.Duration {
	wait := max(f.retry, min(maxWait, firstWait<<min(idle, 10)))
	f.retry = 0
	return wait/2 + rand.N(wait/2) //nolint:gosec // chance may be guessed
}

// once opens the stream and yields what it brings until it ends, which is an error.
func (f *following) once(ctx context.Context, yield func(Event, error) bool) error {
	headers := map[string]string{"Accept": "text/event-stream"}
	q := f.log.Pick.query()
	switch {
	case f.cursor != "":
		headers["Last-Event-ID"] = f.cursor
	case f.log.Pick.From.IsZero():
		q.Set("after", "latest")
	}
	body, err := open(ctx, f.log.Server, workload.Request{
		Method: http.MethodGet, Path: "/v1/audit/stream", Query: q, Headers: headers,
	}, streamSilence)
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // it was only read
	for stream := newMessages(body); ; {
		m, err := stream.next()
		f.retry = stream.retry
		if errors.Is(err, io.EOF) {
			return &brokenError{errors.New("the server ended the stream")}
		}
		if err != nil {
			return &brokenError{err}
		}
		if err := f.take(m, yield); err != nil {
			return err
		}
	}
}

// take takes one event of the stream.
func (f *following) take(m message, yield func(Event, error) bool) error {
	switch m.name {
	case "event":
		e, err := parse(m.data)
		if err != nil {
			return err
		}
		if e.Position <= f.at {
			return fmt.Errorf("position %d came after %d", e.Position, f.at)
		}
		f.at, f.cursor = e.Position, strconv.FormatUint(e.Position, 10)
		if f.log.Pick.Until > 0 && e.Position > f.log.Pick.Until || !yield(e, nil) {
			return errEnough
		}
		return nil
	case "busy":
		return &brokenError{errors.New("the server is busy: " + reason(m.data))}
	case "reset":
		return fmt.Errorf("the server cannot go on where it was asked to: %s: is this another log?", reason(m.data))
	case "end":
		return errEnough
	}
	if m.id != "" { // connected, and heartbeats: how far the search came
		f.cursor = m.id
	}
	return nil
}

// reason is what the stream says of why.
func reason(data []byte) string {
	var said struct {
		Reason string `json:"reason"`
	}
	if json.Unmarshal(data, &said) != nil || said.Reason == "" {
		return string(data)
	}
	return said.Reason
}
