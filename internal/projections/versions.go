package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/trace"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/pulse"
)

// Versions keeps the inbox read model: a version of it, or several beside each
// other, each with a schema of its own, of which one serves readers by views in the
// first schema of the URL's search_path. It does what operators order. Set the
// fields before Run and do not change them after.
type Versions struct {
	DatabaseURL string
	Source      Source
	Orders      Orders
	// StoreID, StoreLimit, BatchEvents, BatchBytes and BatchDelay: see Inbox.
	StoreID     func(context.Context) (uuid.UUID, error)
	StoreLimit  int
	BatchEvents int
	BatchBytes  int
	BatchDelay  time.Duration
	Retention
	Logger  *slog.Logger // nil logs nothing
	Metrics *Metrics     // nil counts for nobody
	Loops   *pulse.Loops // hears of the loop that leads, and of each that folds; nil: nobody does
	Tracer  trace.Tracer // nil traces nothing; see Inbox

	transform map[int]func(events.Recorded) events.Recorded // a test's change of one version's rules
	reach     func(phase string)                            // tells a test where the leader is; nil: nobody

	metrics *Metrics
	logger  *slog.Logger
	pulse   *pulse.Pulse // of Run

	mu     sync.Mutex
	status Status // guarded by mu
}

// Run keeps the read model until ctx ends, and then returns nil; it may be run
// again. It outlives Postgres and the store going away. While another process leads
// it stands by. An error means that the fields are not usable.
func (v *Versions) Run(ctx context.Context) error {
	v.pulse = v.Loops.Begin(leadName)
	defer v.Loops.End(leadName, v.pulse)
	config, err := v.prepare()
	if err != nil {
		return err
	}
	v.enter(Status{State: StateStarting})
	defer v.enter(Status{State: StateStopped})
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = retryFirst, retryMost
	for {
		began := time.Now()
		err := v.session(ctx, config)
		v.pulse.Rest() // until there is another connection: names are looked up, too
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > steadyAfter {
			pauses.Reset()
		}
		v.enter(Status{State: StateWaitingForDatabase, Reason: err.Error()})
		v.logger.Warn("the projection pauses", "state", StateWaitingForDatabase, "error", err)
		if !sleep(ctx, pauses.NextBackOff()) {
			return nil
		}
	}
}

func (v *Versions) prepare() (*pgx.ConnConfig, error) {
	if v.Orders == nil {
		return nil, errors.New("the inbox projection needs Orders")
	}
	if v.logger = v.Logger; v.logger == nil {
		v.logger = slog.New(slog.DiscardHandler)
	}
	v.logger = v.logger.With("projection", inboxName)
	if v.metrics = v.Metrics; v.metrics == nil {
		v.metrics = NewMetrics(nil)
	}
	if _, err := v.inbox("").prepare(); err != nil {
		return nil, err
	}
	v.metrics.begin(inboxName)
	return v.connConfig("")
}

// connConfig is for a connection that orders rather than writes: what it does must
// last. "" is the first schema of the URL's search_path.
func (v *Versions) connConfig(schema string) (*pgx.ConnConfig, error) {
	config, err := parseConfig(v.DatabaseURL, schema)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{
		"application_name", "tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count",
		"idle_session_timeout", "idle_in_transaction_session_timeout",
	} {
		config.RuntimeParams[name] = settings[name]
	}
	// Each answer of Postgres is a beat: the loop asks it about once a second at least.
	config.DialFunc = pulse.Dial(v.pulse, config.DialFunc)
	return config, nil
}

// inbox is what folds one version.
func (v *Versions) inbox(schema string) *Inbox {
	return &Inbox{
		DatabaseURL: v.DatabaseURL, Source: v.Source, StoreID: v.StoreID, StoreLimit: v.StoreLimit,
		BatchEvents: v.BatchEvents, BatchBytes: v.BatchBytes, BatchDelay: v.BatchDelay,
		Retention: v.Retention, Logger: v.Logger, Metrics: v.metrics.ofVersion(), Loops: v.Loops, Tracer: v.Tracer, schema: schema,
	}
}

// session is one life of the leader's connection: whoever has lost its connection
// leads no more.
func (v *Versions) session(ctx context.Context, config *pgx.ConnConfig) error {
	conn, err := connect(ctx, config)
	if err != nil {
		return err
	}
	defer disconnect(ctx, conn)
	if err := whileAlive(ctx, conn, func(ctx context.Context) error {
		return migrate(ctx, v.DatabaseURL, "", versionsBase)
	}); err != nil {
		return err
	}
	base, err := v.awaitLead(ctx, conn)
	if err != nil {
		return err
	}
	v.enter(Status{State: StateStarting})
	l := newLeader(v, conn, base)
	defer l.stop()
	return l.run(ctx)
}

// awaitLead stands by until this is the one leader, and says what the base schema is.
func (v *Versions) awaitLead(ctx context.Context, conn *pgx.Conn) (base string, err error) {
	for {
		var mine bool
		if err := one(ctx, conn, sqlVersionsLock, nil, &mine, &base); err != nil {
			return "", fmt.Errorf("ask for the lead: %w", err)
		}
		if mine {
			return base, nil
		}
		standby := Status{State: StateStandby, Reason: "another projector leads"}
		// The views are not there before the first leader has come so far.
		if _, at, err := checkpoint(ctx, conn); err == nil {
			standby.Position = at
		}
		v.enter(standby)
		if !sleep(ctx, jittered(standbyEvery)) {
			return "", ctx.Err()
		}
	}
}

// Status may be called at any time, from anywhere: it is that of the version that
// serves.
func (v *Versions) Status() Status {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.status.State == "" {
		return Status{State: StateStopped}
	}
	return v.status
}

// enter keeps the position last seen where the new status knows none.
func (v *Versions) enter(s Status) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if s.Position == 0 {
		s.Position = v.status.Position
	}
	v.status = s
	v.metrics.show(s)
}

// reached tells a test.
func (v *Versions) reached(phase string) {
	if v.reach != nil {
		v.reach(phase)
	}
}
