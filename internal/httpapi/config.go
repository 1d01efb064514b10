package httpapi

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/tidings-io/tidings/internal/access"
	"github.com/tidings-io/tidings/internal/commands"
	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/limits"
	"github.com/tidings-io/tidings/internal/live"
	"github.com/tidings-io/tidings/internal/pulse"
	"github.com/tidings-io/tidings/internal/queries"
)

// Log is the log as the audit routes read it.
type Log interface {
	// ReadAll yields what the filter picks after a position, oldest first, up to the
	// head at the time of the call. An error is the last thing it yields.
	ReadAll(ctx context.Context, after events.Position, f events.Filter) iter.Seq2[events.Stored, error]
	// Subscribe yields everything after a position and then what is appended, in order,
	// each event once, until ctx ends; the error is the last thing it yields.
	Subscribe(ctx context.Context, after events.Position) iter.Seq2[events.Message, error]
	// SubscribeTo is Subscribe for the streams of some categories, which the store picks.
	SubscribeTo(ctx context.Context, after events.Position, categories ...string) iter.Seq2[events.Message, error]
	// Head is the position of the log's last event.
	Head(ctx context.Context) (events.Position, error)
}

// Reads is what the edge asks of the read model; *queries.Queries answers it.
type Reads interface {
	Projections(ctx context.Context) ([]queries.Version, error)
	Parity(ctx context.Context, version, users int, cursor string) (queries.Parity, error)
	WaitFor(ctx context.Context, at events.Position) error
	Recipients(ctx context.Context, id uuid.UUID, demands ...queries.AtLeast) (queries.Recipients, error)
	Inbox(ctx context.Context, ask queries.InboxQuery, demands ...queries.AtLeast) (queries.InboxPage, error)
	Counts(ctx context.Context, user events.User, asOf queries.AsOf, demands ...queries.AtLeast) (queries.Counts, error)
	Subscriptions(ctx context.Context, user events.User, limit int, cursor string, demands ...queries.AtLeast) (queries.Page[queries.Subscription], error)
	Topics(ctx context.Context, limit int, cursor string, demands ...queries.AtLeast) (queries.Page[queries.Topic], error)
	Topic(ctx context.Context, name events.Topic, demands ...queries.AtLeast) (queries.Topic, error)
	Subscribers(ctx context.Context, ask queries.SubscribersQuery, demands ...queries.AtLeast) (queries.Page[queries.Subscriber], error)
	Explain(ctx context.Context, id uuid.UUID, user events.User) (queries.Explanation, error)
	// Before is a position up to which everything was recorded before a time: the last
	// that the tables know of.
	Before(ctx context.Context, at time.Time) (events.Position, error)
	Preferences(ctx context.Context, user events.User, demands ...queries.AtLeast) (queries.Preferences, error)
	Notification(ctx context.Context, id uuid.UUID, demands ...queries.AtLeast) (queries.Notification, error)
}

// Config is what the edge works with. Store, Log, Reads and Hub must be set; the
// zero value of everything else means its default.
type Config struct {
	Store commands.Store
	Log   Log
	Reads Reads
	Hub   *live.Hub
	// Stream says how streams are served; User and Invalid are filled in by New.
	Stream StreamOptions
	// Console serves the page at "/"; nil: there is none.
	Console http.Handler
	// Ready are the dependencies that /readyz asks.
	Ready []Check
	// Loops are those that must move for the process to be live; nil: none.
	Loops *pulse.Loops
	// Access says who sends a request; nil: everybody is "dev" and may do everything.
	Access *access.Authority
	// Limits bound what each key, user and address may ask for; nil: nothing does.
	Limits *limits.Limiter
	// QueryToken takes a token in the query string as well: access_token.
	QueryToken bool
	// NewID makes random ids; nil: version 4.
	NewID func() uuid.UUID
	// Logger gets faults; nil: silence.
	Logger *slog.Logger
	// Tracer makes a span of each request and command; nil: nothing is traced.
	Tracer trace.Tracer
	// Registerer takes the metrics of this package; nil: counted for nobody.
	Registerer prometheus.Registerer
	// MetricsElsewhere leaves /metrics out: another listener serves it.
	MetricsElsewhere bool
	// Gatherer is what /metrics shows; nil: prometheus.DefaultGatherer.
	Gatherer prometheus.Gatherer
	// MaxBodyBytes and MaxBatchBytes bound bodies; default 256 KiB, and 8 MiB for
	// batches.
	MaxBodyBytes, MaxBatchBytes int64
	// BodyTimeout is how long a body may take to arrive; default 30 s.
	BodyTimeout time.Duration
	// WriteTimeout is how long an answer may take to be taken, from its first byte;
	// default 60 s. Streams have deadlines of their own.
	WriteTimeout time.Duration
	// TrustedProxies are those whose X-Forwarded-For is believed: see ParseProxies.
	TrustedProxies []netip.Prefix
	// Origins are the sites whose pages may use the API: see ParseOrigins. None: only
	// the API's own.
	Origins []string
	// Hosts are the names the API is served under: see ParseHosts. Those of the machine
	// itself, as localhost, always are; nil: every name.
	Hosts []string
}

// devSubject is who everybody is without access control.
const devSubject = "dev"

// api holds what the endpoints share; nothing in it changes.
type api struct {
	store    commands.Store
	log      Log
	reads    Reads
	access   *access.Authority
	newID    func() uuid.UUID
	logger   *slog.Logger
	metrics  *metrics
	tracer   trace.Tracer // nil: none
	gatherer prometheus.Gatherer

	maxBodyBytes, maxBatchBytes int64
	bodyTimeout, writeTimeout   time.Duration

	proxies []netip.Prefix
	sites   sites
	hosts   hosts

	queryToken bool
	refusals   refusals
	limits     *limits.Limiter
	// dependencies are what /readyz asks, loops what /livez looks at.
	dependencies *dependencies
	loops        *pulse.Loops
	looks        *gate // requests that read much
	exports      *gate // whole ranges of the log
	follows      *gate // streams of the log
}

func newAPI(c Config) (*api, error) {
	if c.Store == nil || c.Log == nil || c.Reads == nil || c.Hub == nil {
		return nil, errors.New("httpapi: Config needs Store, Log, Reads and Hub")
	}
	a := &api{
		store: c.Store, log: c.Log, reads: c.Reads, access: c.Access, queryToken: c.QueryToken, limits: c.Limits, newID: c.NewID, logger: c.Logger, tracer: c.Tracer,
		gatherer: c.Gatherer, maxBodyBytes: c.MaxBodyBytes, maxBatchBytes: c.MaxBatchBytes,
		bodyTimeout: c.BodyTimeout, writeTimeout: c.WriteTimeout, proxies: c.TrustedProxies, hosts: newHosts(c.Hosts),
	}
	looksEach, exportsEach, followsEach := maxLooksEach, maxExportsEach, maxFollowsEach
	if c.Access == nil { // everybody is one subject
		looksEach, exportsEach, followsEach = maxLooks, maxExports, maxFollows
	}
	a.looks, a.exports, a.follows = newGate(maxLooks, looksEach), newGate(maxExports, exportsEach), newGate(maxFollows, followsEach)
	var err error
	if a.sites, err = newSites(c.Origins); err != nil {
		return nil, fmt.Errorf("httpapi: %w", err)
	}
	if a.newID == nil {
		a.newID = uuid.New
	}
	if a.logger == nil {
		a.logger = slog.New(slog.DiscardHandler)
	}
	a.refusals.logger = a.logger
	a.loops = c.Loops
	a.dependencies = newDependencies(c.Ready, c.Access != nil, a.logger)
	if a.gatherer == nil {
		a.gatherer = prometheus.DefaultGatherer
	}
	if a.maxBodyBytes <= 0 {
		a.maxBodyBytes = maxBodyBytes
	}
	if a.maxBatchBytes <= 0 {
		a.maxBatchBytes = maxBatchBytes
	}
	if a.bodyTimeout <= 0 {
		a.bodyTimeout = bodyTimeout
	}
	if a.writeTimeout <= 0 {
		a.writeTimeout = writeTimeout
	}
	return a, nil
}
