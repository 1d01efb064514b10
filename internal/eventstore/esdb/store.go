package esdb

import (
	"context"
	"log/slog"
	"sync"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
)

// Options are what Open can be told; the zero value works.
type Options struct {
	// Logger hears of connections made and lost; nil is silent.
	Logger *slog.Logger
	// Registerer gets the store's metrics; nil gets none.
	Registerer prometheus.Registerer
	// Tracer makes a span of each append that belongs to a trace; nil: of none.
	Tracer trace.Tracer
	// AppendTimeout is the longest an append takes, with all its retries; 0 means
	// 10 seconds. A context that ends earlier wins.
	AppendTimeout time.Duration
	// ReadTimeout is the longest a read waits for the next event, or a subscription
	// for its confirmation; 0 means 10 seconds. What the reader itself takes does
	// not count. A context that ends earlier wins.
	ReadTimeout time.Duration
}

const defaultTimeout = 10 * time.Second

// Store is an event store behind a connection string. Its methods may be called
// from several goroutines at once.
type Store struct {
	config  client.Configuration
	options Options
	metrics metrics
	stop    context.CancelFunc
	stopped chan struct{} // closed when the supervisor has returned

	mu        sync.Mutex
	current   *connection   // what calls use; nil while the store is away
	changed   chan struct{} // closed, and made anew, when current or closed changes
	away      time.Time     // since when current is nil
	why       error         // why current is nil
	closed    bool
	abandoned int // calls whose callers have gone and that have not returned
}

// Open checks the connection string and returns at once; the connection is made
// meanwhile. The schemes are esdb, esdb+discover, kurrentdb and
// kurrentdb+discover. Errors never contain the string's password.
func Open(url string, options Options) (*Store, error) {
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.AppendTimeout <= 0 {
		options.AppendTimeout = defaultTimeout
	}
	if options.ReadTimeout <= 0 {
		options.ReadTimeout = defaultTimeout
	}
	config, err := parse(url, options.Logger)
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(options.Registerer)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Store{
		config: *config, options: options, metrics: m, stop: stop, stopped: make(chan struct{}),
		changed: make(chan struct{}), away: time.Now(), why: errConnecting,
	}
	go func() {
		defer close(s.stopped)
		s.supervise(ctx)
	}()
	return s, nil
}

// closePatience is how long Close waits for calls to notice.
const closePatience = time.Second

// Close ends all calls and subscriptions and closes the connection. Later calls
// fail with events.ErrStoreUnavailable. It takes about a second at most and may
// be called again.
func (s *Store) Close() {
	s.mu.Lock()
	s.closed = true
	c := s.current
	s.current = nil
	s.announce()
	s.mu.Unlock()
	s.metrics.connected.Set(0)
	s.stop()
	<-s.stopped
	if c != nil {
		c.cut()
		select {
		case <-c.unused:
		case <-time.After(closePatience):
		}
	}
}

// announce wakes those who wait for a change; s.mu must be held.
func (s *Store) announce() {
	close(s.changed)
	s.changed = make(chan struct{})
}
