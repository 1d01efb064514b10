package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/tidings-io/tidings/internal/access"
	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/live"
)

const (
	maxHistory          = 1000 // about a megabyte: who wants more pages through the inbox
	defaultBusyRetry    = 5 * time.Second
	defaultWriteTimeout = 10 * time.Second
	maxIdleBuffer       = 1 << 16 // a larger buffer is not kept for the next write
)

// StreamOptions say how Stream serves. The zero value of each duration means its
// default.
type StreamOptions struct {
	// User is whose inbox a request is for. When it answers false it has answered
	// the request.
	User func(http.ResponseWriter, *http.Request) (events.User, bool)
	// Invalid answers a request whose query field cannot be used: 422.
	Invalid func(w http.ResponseWriter, r *http.Request, field, message string)
	// Drain, when it ends, ends every stream with what waits for it written. Nil:
	// streams end with their connections alone.
	Drain context.Context //nolint:containedctx // a signal to all streams, not a request's

	Heartbeat    time.Duration // of silence, before one is sent; default 15 s
	Retry        time.Duration // told to clients as the time before they reconnect; default 2 s
	BusyRetry    time.Duration // the same after a refusal, spread up to the double; default 5 s
	MaxAge       time.Duration // of a connection, spread by a tenth; default 30 min
	WriteTimeout time.Duration // of one write: a reader that takes longer is gone; default 10 s
}

// Stream serves a user's inbox as server-sent events: docs/API.md, "The stream".
// It answers 200 at once; what goes wrong later is an event of the stream.
func Stream(hub *live.Hub, o StreamOptions) http.HandlerFunc {
	o = o.filled()
	return func(w http.ResponseWriter, r *http.Request) {
		user, ok := o.User(w, r)
		if !ok {
			return
		}
		req, err := followRequest(user, r)
		if err != nil {
			o.Invalid(w, r, "history", err.Error())
			return
		}
		ctx, cancel := o.lifetime(r.Context())
		defer cancel()

		s := &eventStream{w: w, control: http.NewResponseController(w), options: o}
		if s.open() == nil {
			s.serve(ctx, hub, req)
		}
	}
}

// filled are the options with their defaults.
func (o StreamOptions) filled() StreamOptions {
	defaultDuration(&o.Heartbeat, 15*time.Second)
	defaultDuration(&o.Retry, 2*time.Second)
	defaultDuration(&o.BusyRetry, defaultBusyRetry)
	defaultDuration(&o.MaxAge, 30*time.Minute)
	defaultDuration(&o.WriteTimeout, defaultWriteTimeout)
	if o.Drain == nil {
		o.Drain = context.Background()
	}
	return o
}

// lifetime is a stream's: it ends with ctx, when the stream is old enough, and, with
// errDrained as its cause, when all do.
func (o StreamOptions) lifetime(ctx context.Context) (context.Context, context.CancelFunc) {
	age := o.MaxAge - o.MaxAge/20 + rand.N(o.MaxAge/10+1) //nolint:gosec // spreads reconnects; no secret
	ctx, cancel := context.WithTimeout(ctx, age)
	ctx, end := context.WithCancelCause(ctx)
	stop := context.AfterFunc(o.Drain, func() { end(errDrained) })
	return ctx, func() {
		stop()
		end(context.Canceled)
		cancel()
	}
}

func defaultDuration(d *time.Duration, value time.Duration) {
	if *d <= 0 {
		*d = value
	}
}

// followRequest reads where a stream begins. The header wins over the query, an
// empty one is as none, and a resume ignores history.
func followRequest(user events.User, r *http.Request) (live.FollowRequest, error) {
	req := live.FollowRequest{User: user, LastEventID: r.Header.Get("Last-Event-ID")}
	query := r.URL.Query()
	if req.LastEventID == "" {
		req.LastEventID = query.Get("last_event_id")
	}
	if req.LastEventID != "" || query.Get("history") == "" {
		return req, nil
	}
	n, err := strconv.Atoi(query.Get("history"))
	if err != nil || n < 0 || n > maxHistory {
		return req, fmt.Errorf("must be a number from 0 to %d", maxHistory)
	}
	req.Newest = n
	return req, nil
}

// eventStream writes one response.
type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	options StreamOptions
}

// open sends the headers, so that the client knows at once that it is connected.
func (s *eventStream) open() error {
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	s.w.WriteHeader(http.StatusOK)
	return s.flush(nil)
}

// serve tells the follower's frames until the client goes, the connection is old
// enough, or the hub ends.
func (s *eventStream) serve(ctx context.Context, hub *live.Hub, req live.FollowRequest) {
	f, err := hub.Follow(ctx, req)
	if err != nil {
		if ctx.Err() == nil {
			s.refuse(err)
		}
		return
	}
	defer f.Close()
	f.Dropped(s.follow(ctx, f))
}

// follow serves a follower, and says why it ends.
func (s *eventStream) follow(ctx context.Context, f *live.Follower) live.Reason {
	if err := s.greet(f); err != nil {
		return lost(err)
	}
	for ctx.Err() == nil {
		frames, err := f.Next(ctx, s.options.Heartbeat)
		switch {
		case errors.Is(err, live.ErrEnded):
			return live.Drained
		case err != nil && ctx.Err() != nil:
			continue
		case err != nil:
			s.refuse(err)
			return refusedFor(err)
		case len(frames) == 0:
			err = s.event("heartbeat", "", 0, map[string]any{"timestamp": time.Now().UTC()})
		default:
			err = s.tell(f, frames)
		}
		if err != nil {
			return lost(err) // the client comes back with the last id it saw
		}
	}
	if refused, _ := errors.AsType[*access.Refused](context.Cause(ctx)); refused != nil {
		return live.Shut
	}
	_ = s.tell(f, f.Rest()) // the last words; the client may be gone
	return s.over(ctx)
}

// over is why a stream that nothing was wrong with has ended.
func (s *eventStream) over(ctx context.Context) live.Reason {
	switch {
	case s.options.Drain.Err() != nil:
		return live.Drained
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return live.Aged
	default:
		return live.Gone
	}
}

// lost is why a reader could not be written to.
func lost(err error) live.Reason {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return live.TooSlow
	}
	return live.Gone
}

func refusedFor(err error) live.Reason {
	if errors.Is(err, live.ErrTooSlow) {
		return live.TooSlow
	}
	return live.Unavailable
}

// greet says where the stream continues from, and why it is not where the client
// asked, if so.
func (s *eventStream) greet(f *live.Follower) error {
	retry := s.options.Retry
	err := s.event("connected", f.Position.String(), retry, struct {
		User     events.User     `json:"user"`
		Position events.Position `json:"position"`
		RetryMS  int64           `json:"retry_ms"`
	}{f.User, f.Position, retry.Milliseconds()})
	if err == nil && f.Reset != "" {
		err = s.event("reset", f.Position.String(), 0, map[string]any{"reason": f.Reset})
	}
	return err
}

// busy refuses a stream before it began.
func (a *api) busy(w http.ResponseWriter, r *http.Request, err error) {
	p, wait := problemOf(err), defaultBusyRetry
	if found, ok := errors.AsType[*fault](err); ok {
		wait = max(wait, found.retryAfter)
	}
	a.logger.DebugContext(r.Context(), "a stream was refused", "route", record(w).route, "correlation_id", requestID(r), "error", err)
	s := &eventStream{w: w, control: http.NewResponseController(w), options: StreamOptions{WriteTimeout: defaultWriteTimeout}}
	if s.open() == nil {
		s.busy(p.Detail, wait)
	}
}

// refuse tells the client to come back later. EventSource never retries after a
// 4xx or 5xx, so that this is an event.
func (s *eventStream) refuse(err error) {
	reason := "the stream is not available now"
	if errors.Is(err, live.ErrTooSlow) {
		reason = "the reader fell too far behind"
	}
	s.busy(reason, s.options.BusyRetry)
}

func (s *eventStream) busy(reason string, wait time.Duration) {
	retry := wait + rand.N(wait) //nolint:gosec // spreads reconnects; no secret
	_ = s.event("busy", "", retry, map[string]any{"reason": reason})
}

// tell writes frames, all of them in one write: the system call is what costs.
func (s *eventStream) tell(f *live.Follower, frames []*live.Frame) error {
	if len(frames) == 0 {
		return nil
	}
	buffer := takeBuffer()
	defer buffer.giveBack()
	for _, frame := range frames {
		buffer.event(frame.Event, frame.Position, frame.Data)
	}
	if err := s.flush(buffer.bytes); err != nil {
		return err
	}
	f.Written(frames)
	return nil
}

// event writes one event that is not of the log.
func (s *eventStream) event(name, id string, retry time.Duration, data any) error {
	encoded, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	text := "event: " + name + "\n"
	if id != "" {
		text += "id: " + id + "\n"
	}
	if retry > 0 {
		text += fmt.Sprintf("retry: %d\n", retry.Milliseconds())
	}
	return s.flush([]byte(text + "data: " + string(encoded) + "\n\n"))
}

// flush sends the text now, within the deadline of one write.
func (s *eventStream) flush(text []byte) error {
	err := s.control.SetWriteDeadline(time.Now().Add(s.options.WriteTimeout))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("set the deadline of a write: %w", err)
	}
	if len(text) > 0 {
		if _, err := s.w.Write(text); err != nil {
			return fmt.Errorf("write to the stream: %w", err)
		}
	}
	if err := s.control.Flush(); err != nil {
		return fmt.Errorf("write to the stream: %w", err)
	}
	_ = s.control.SetWriteDeadline(time.Time{}) // HTTP/2 ends a stream whose deadline passes, though nothing waits to be written
	return nil
}

// streamBuffer is borrowed for one write, so that a stream at rest owns none.
type streamBuffer struct{ bytes []byte }

var streamBuffers = sync.Pool{New: func() any { return new(streamBuffer) }}

func takeBuffer() *streamBuffer {
	b, ok := streamBuffers.Get().(*streamBuffer)
	if !ok {
		panic("httpapi: something else is among the stream buffers")
	}
	return b
}

func (b *streamBuffer) giveBack() {
	if cap(b.bytes) <= maxIdleBuffer {
		b.bytes = b.bytes[:0]
		streamBuffers.Put(b)
	}
}

func (b *streamBuffer) event(name string, id events.Position, data []byte) {
	b.bytes = append(b.bytes, "event: "...)
	b.bytes = append(b.bytes, name...)
	b.bytes = append(b.bytes, "\nid: "...)
	b.bytes = strconv.AppendUint(b.bytes, uint64(id), 10)
	b.bytes = append(b.bytes, "\ndata: "...)
	b.bytes = append(b.bytes, data...)
	b.bytes = append(b.bytes, "\n\n"...)
}
