package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/trace"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/pulse"
)

// inboxName is the projection's name in the table projections and in metrics.
const inboxName = "inbox"

// What programs use unless they are told otherwise.
const (
	// DefaultStoreLimit is how many subscribers with the same filter a topic has at
	// most for what reaches them to be stored per recipient.
	DefaultStoreLimit = 1000
	// DefaultBatchDelay spares Postgres a transaction per event under a steady load.
	DefaultBatchDelay = 10 * time.Millisecond

	defaultBatchEvents = 2000
	defaultBatchBytes  = 8 << 20 // two batches are held at once: one is read while one is written
)

// Inbox folds the log into the inbox tables. Set the fields before Run and do
// not change them after.
type Inbox struct {
	// DatabaseURL names the database and, by search_path, the schema. Run migrates it.
	DatabaseURL string
	Source      Source
	// StoreID asks whose log Source is: what its StoreNamed says.
	StoreID func(context.Context) (uuid.UUID, error)
	// StoreLimit is the number of subscribers up to which notifications to an audience
	// are stored per recipient when published; above it they are joined when read.
	// 0 stores for empty ones only. Both ways mean the same inbox.
	StoreLimit int
	Retention
	// BatchEvents and BatchBytes bound one batch; 0 means 2,000 events, 8 MiB.
	BatchEvents int
	BatchBytes  int
	// BatchDelay is the least time from the start of one batch to the start of the
	// next that is not full: an event after a pause is applied at once.
	BatchDelay time.Duration
	Logger     *slog.Logger // nil logs nothing
	Metrics    *Metrics     // nil counts for nobody
	Loops      *pulse.Loops // hears of the loop that folds; nil: nobody does
	// Tracer makes a span of each event whose trace is kept, from the beginning of its
	// batch to the commit; nil traces nothing.
	Tracer trace.Tracer

	// What Versions gives the inbox of one version; the zero values are for an inbox
	// that stands alone.
	schema    string                                // of the tables; "" for the first of the URL's search_path
	skips     func(events.Position) bool            // events to pass over; nil: none
	silent    atomic.Bool                           // do not wake who waits: readers do not see these tables
	born      time.Time                             // events before it are old: how late they come says nothing
	held      hold                                  // how far to go for now
	transform func(events.Recorded) events.Recorded // a test's change of the rules; nil: none

	metrics *Metrics
	logger  *slog.Logger
	pulse   *pulse.Pulse // of Run
	lag     lag
	folded  atomic.Int64 // events, since the process began

	mu     sync.Mutex
	status Status // guarded by mu
}

const (
	retryFirst = 100 * time.Millisecond
	retryMost  = 2 * time.Second // nobody projects meanwhile
	// steadyAfter is how long a session lives to count as a success.
	steadyAfter = 10 * time.Second
)

// Run applies events until ctx ends, and then returns nil; it may be run again.
// It outlives Postgres and the store going away. While another process applies
// events it stands by. At an event that cannot be applied, or a checkpoint that
// is not of this log, it halts: Status and metrics say so and nothing more is
// applied until the next Run. An error means that the fields are not usable.
func (p *Inbox) Run(ctx context.Context) error {
	name := foldName(p.schema)
	p.pulse = p.Loops.Begin(name)
	defer p.Loops.End(name, p.pulse)
	config, err := p.prepare()
	if err != nil {
		return err
	}
	// Each answer of Postgres is a beat: the loop asks it about once a second at least.
	config.DialFunc = pulse.Dial(p.pulse, config.DialFunc)
	p.enter(StateStarting, "")
	defer p.enter(StateStopped, "")
	var watch sync.WaitGroup
	defer watch.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch.Go(func() { p.watchLag(ctx) })

	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = retryFirst, retryMost
	for {
		began := time.Now()
		err := p.session(ctx, config)
		p.pulse.Rest() // until there is another connection: names are looked up, too
		if ctx.Err() != nil {
			return nil // a session cut short by our own end is no fault
		}
		if err == nil || time.Since(began) > steadyAfter {
			pauses.Reset()
		}
		if err == nil { // an operator has taken away what halted it
			p.lag.away()
			continue
		}
		p.retry(err)
		if !sleep(ctx, pauses.NextBackOff()) {
			return nil
		}
	}
}

func (p *Inbox) prepare() (*pgx.ConnConfig, error) {
	if p.Source == nil || p.StoreID == nil {
		return nil, errors.New("the inbox projection needs a Source and a StoreID")
	}
	if p.StoreLimit < 0 {
		return nil, fmt.Errorf("the store limit %d is negative", p.StoreLimit)
	}
	if err := p.Retention.check(); err != nil {
		return nil, err
	}
	config, err := connConfig(p.DatabaseURL, p.schema)
	if err != nil {
		return nil, err
	}
	if p.skips == nil {
		p.skips = func(events.Position) bool { return false }
	}
	if p.KeepHistory == 0 {
		p.KeepHistory = DefaultKeepHistory
	}
	if p.BatchEvents <= 0 {
		p.BatchEvents = defaultBatchEvents
	}
	if p.BatchBytes <= 0 {
		p.BatchBytes = defaultBatchBytes
	}
	if p.logger = p.Logger; p.logger == nil {
		p.logger = slog.New(slog.DiscardHandler)
	}
	if p.logger = p.logger.With("projection", inboxName); p.schema != "" {
		p.logger = p.logger.With("schema", p.schema)
	}
	if p.metrics = p.Metrics; p.metrics == nil {
		p.metrics = NewMetrics(nil)
	}
	p.metrics.begin(inboxName)
	return config, nil
}

// retry notes why a session ended.
func (p *Inbox) retry(err error) {
	p.lag.away()
	state := StateWaitingForDatabase
	if _, away := errors.AsType[*storeAway](err); away {
		state = StateWaitingForStore
	}
	p.enter(state, err.Error())
	p.logger.Warn("the projection pauses", "state", state, "error", err)
}

// sleep says false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
