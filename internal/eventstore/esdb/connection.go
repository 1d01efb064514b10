package esdb

import (
	"context"
	"fmt"
	"sync"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// maxAbandoned bounds the goroutines left behind inside the client. Only calls
// that are just starting when a connection breaks get stuck there, and they end
// when the store is back, so that even a busy process leaves few; each costs
// some 10 kB.
const maxAbandoned = 4096

// grace is how long a call may outlive its context before its goroutine is
// left behind: a call that is not stuck returns much faster.
const grace = 50 * time.Millisecond

// connection is one client from its making until nobody uses it any more.
// Closing a client while a call is inside it panics in that call, so a client
// is closed by the last to leave it.
type connection struct {
	client    *client.Client
	ctx       context.Context //nolint:containedctx // the connection's life
	cut       context.CancelFunc
	lost      chan struct{} // closed when no more calls are to be given to it
	lose      func()        // closes lost
	suspected chan struct{} // has room for one suspicion
	unused    chan struct{} // closed when the last user has left

	mu    sync.Mutex
	users int
}

// newConnection has one user: its maker.
func newConnection(config client.Configuration) (*connection, error) {
	cl, err := client.NewClient(&config)
	if err != nil {
		return nil, fmt.Errorf("make an event store client: %w", err)
	}
	c := &connection{
		client: cl, lost: make(chan struct{}), suspected: make(chan struct{}, 1), unused: make(chan struct{}), users: 1,
	}
	c.ctx, c.cut = context.WithCancel(context.Background())
	c.lose = sync.OnceFunc(func() { close(c.lost) })
	return c, nil
}

func (c *connection) enter() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.users++
}

// leave must be called once by each user; the last one closes the client.
func (c *connection) leave() {
	c.mu.Lock()
	c.users--
	last := c.users == 0
	c.mu.Unlock()
	if last {
		c.cut()
		_ = c.client.Close() // always nil
		close(c.unused)
	}
}

// suspect asks the supervisor to see whether the store still answers.
func (c *connection) suspect() {
	select {
	case c.suspected <- struct{}{}:
	default: // asked already
	}
}

// bound is ctx, ending also when the connection is cut.
func (c *connection) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(c.ctx, func() { cancel(errCut) })
	return ctx, func() { stop(); cancel(nil) }
}

// task is a goroutine inside the client.
type task struct{ done chan struct{} }

// start runs f in a goroutine that is one user of the connection: the caller's
// place is handed to it.
func (c *connection) start(f func()) task {
	t := task{done: make(chan struct{})}
	go func() {
		defer close(t.done)
		defer c.leave()
		f()
	}()
	return t
}

// ended waits a moment for a task whose context has ended and says whether it
// returned. One that did not is left behind.
func (s *Store) ended(t task) bool {
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-t.done:
		return true
	case <-timer.C:
	}
	s.countAbandoned(1)
	go func() {
		<-t.done
		s.countAbandoned(-1)
	}()
	return false
}

func (s *Store) countAbandoned(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.abandoned += n
}

// call runs one call of the client. It returns when ctx ends or the connection
// is cut, whether the client does or not.
func call[T any](
	ctx context.Context, s *Store, c *connection, f func(context.Context, *client.Client) (T, error),
) (T, error) {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	var value T
	var err error
	t := c.start(func() { value, err = inside(c, func() (T, error) { return f(ctx, c.client) }) })
	select {
	case <-t.done:
	case <-ctx.Done():
		if !s.ended(t) {
			var none T
			return none, fmt.Errorf("%w: %w", errAbandoned, context.Cause(ctx))
		}
	}
	return value, err
}

// inside does what is to be done inside the client. A lost connection's client
// is left alone: it would look for the server anew, and drop its old connection
// without closing it. A panic of the client becomes an error: it indexes
// trailers that a server may leave out, and meets unknown messages with a panic.
func inside[T any](c *connection, f func() (T, error)) (value T, err error) {
	select {
	case <-c.lost:
		return value, errLost
	default:
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errPanic, p)
		}
	}()
	return f()
}
