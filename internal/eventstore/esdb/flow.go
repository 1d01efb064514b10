package esdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/tidings-io/tidings/internal/events"
)

// flowItems bounds what is received ahead of the reader; when it is full the
// goroutine waits, then the transport, then the store. It smooths over the
// reader's pauses without holding more than some hundred kB.
const flowItems = 256

// receive gives a stream's next message; an error is its end.
type receive func() (events.Message, error)

// opening starts a stream of the client.
type opening func(context.Context, *client.Client) (receive, error)

// flow is one stream of the client, received in a goroutine of its own.
type flow struct {
	store  *Store
	cancel context.CancelFunc
	ctx    context.Context //nolint:containedctx // the flow's life
	task   task
	opened chan struct{} // closed when the store has accepted the call
	items  chan events.Message
	err    error // why items was closed; to be read after that
	timer  *time.Timer
}

// open begins a stream as the user of the connection the caller has acquired.
// close must be called.
func (s *Store) open(ctx context.Context, c *connection, open opening) *flow {
	f := &flow{store: s, opened: make(chan struct{}), items: make(chan events.Message, flowItems)}
	f.ctx, f.cancel = c.bound(ctx)
	f.task = c.start(func() {
		defer close(f.items)
		_, f.err = inside(c, func() (struct{}, error) { return struct{}{}, f.pump(c.client, open) })
	})
	return f
}

func (f *flow) pump(cl *client.Client, open opening) error {
	recv, err := open(f.ctx, cl)
	if err != nil {
		return err
	}
	close(f.opened)
	for {
		m, err := recv()
		if err != nil {
			return err
		}
		select {
		case f.items <- m:
		case <-f.ctx.Done():
			return context.Cause(f.ctx)
		}
	}
}

// close ends the stream.
func (f *flow) close() {
	f.cancel()
	select {
	case <-f.task.done:
	default:
		f.store.ended(f.task)
	}
	if f.timer != nil {
		f.timer.Stop()
	}
}

// accepted waits until the store has accepted the call; why it was not, next
// says.
func (f *flow) accepted(deadline time.Time) error {
	select {
	case <-f.opened:
		return nil
	case <-f.task.done:
		return nil
	case <-f.after(time.Until(deadline)):
		return errSilent
	case <-f.ctx.Done():
		return context.Cause(f.ctx)
	}
}

// next is the next message. It waits until the deadline; with none, for ever.
func (f *flow) next(deadline time.Time) (events.Message, error) {
	if f.ctx.Err() != nil {
		return events.Message{}, context.Cause(f.ctx)
	}
	select {
	case m, ok := <-f.items:
		return f.got(m, ok)
	default:
	}
	var timeout <-chan time.Time
	if !deadline.IsZero() {
		timeout = f.after(time.Until(deadline))
	}
	select {
	case m, ok := <-f.items:
		return f.got(m, ok)
	case <-timeout:
		return events.Message{}, errSilent
	case <-f.ctx.Done():
		return events.Message{}, context.Cause(f.ctx)
	}
}

func (f *flow) after(d time.Duration) <-chan time.Time {
	if f.timer == nil {
		f.timer = time.NewTimer(d)
	} else {
		f.timer.Reset(d)
	}
	return f.timer.C
}

func (f *flow) got(m events.Message, ok bool) (events.Message, error) {
	if ok {
		return m, nil
	}
	if f.ctx.Err() != nil && !isEnd(f.err) {
		return m, errors.Join(context.Cause(f.ctx), f.err)
	}
	return m, f.err
}

// stored is an event as the client received it.
func stored(e *client.ResolvedEvent) (events.Stored, error) {
	r := e.OriginalEvent()
	if r == nil {
		return events.Stored{}, fmt.Errorf("%w: an event without content", errImpossible)
	}
	if r.Position.Commit == 0 || r.Position.Commit > uint64(events.MaxPosition) {
		return events.Stored{}, fmt.Errorf("%w: revision %d of %s at position %d",
			errImpossible, r.EventNumber, r.StreamID, r.Position.Commit)
	}
	return events.Stored{
		ID: r.EventID, Stream: events.StreamName(r.StreamID), Revision: events.Revision(r.EventNumber),
		Position: events.Position(r.Position.Commit), At: r.CreatedDate.UTC(), Type: r.EventType,
		Data: r.Data, Metadata: orNil(r.UserMetadata),
	}, nil
}

func orNil(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}
