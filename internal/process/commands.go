package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/tidings-io/tidings/internal/httpapi"
	"github.com/tidings-io/tidings/internal/projections"
	"github.com/tidings-io/tidings/internal/pulse"
)

// APICommand is the program api.
type APICommand struct {
	Config ConfigFlag `help:"JSON file of settings, by the flags' names without --; flags and environment win. tidings config check judges one." placeholder:"FILE"`
	LogFlags
	TraceFlags
	ConnectFlags
	AccessFlags
	LimitFlags
	EdgeFlags
	Listen        string `help:"Address to serve HTTP on." default:"127.0.0.1:8080" env:"TIDINGS_LISTEN"`
	MonitorListen string `help:"Address to serve health and metrics on, such as 127.0.0.1:8082; then --listen serves no metrics. Unless given, --listen serves both, to everybody." placeholder:"ADDRESS" env:"TIDINGS_MONITOR_LISTEN"`
	Insecure      bool   `help:"Listen on addresses that others can reach, also without access control; the monitor has none." env:"TIDINGS_INSECURE"`
}

// Validate refuses an address that must not be listened on, and what does not go together.
func (c *APICommand) Validate() error {
	err := httpapi.CheckListen(c.Listen, c.Insecure || c.required())
	if err != nil && httpapi.CheckListen(c.Listen, true) == nil {
		err = fmt.Errorf("%w; --jwt-key, --jwks-url or --access required turn access control on", err)
	}
	if c.MonitorListen != "" {
		err = errors.Join(err, httpapi.CheckListen(c.MonitorListen, c.Insecure))
	}
	return errors.Join(c.TraceFlags.Validate(), c.AccessFlags.Validate(), c.LimitFlags.Validate(), c.EdgeFlags.check(), err)
}

// Run serves until told to stop.
func (c *APICommand) Run(ctx context.Context) error {
	listener, err := listen(ctx, "--listen", c.Listen)
	if err != nil {
		return err
	}
	if listener, err = c.encrypt(listener, c.Logger()); err != nil {
		return err
	}
	traces, err := c.TraceFlags.open(ctx, "tidings-api", c.Logger())
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer traces.Close()
	registry := newRegistry()
	connections, err := Connect(ctx, c.EventStoreURL, c.DatabaseURL, c.Logger(), registry, traces)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer connections.Close()
	control, err := c.AccessFlags.open(connections.Store, c.Logger(), registry)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	limiter, err := c.limiter(c.required(), connections.Pool, c.Logger(), registry)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	edge, err := c.edge(!c.Insecure && !c.required())
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	c.Logger().Info("api starts", "version", version(), "listen", c.scheme()+"://"+listener.Addr().String(),
		"eventstore", masked(c.EventStoreURL), "database", masked(c.DatabaseURL))
	api := API{Connections: connections, Edge: edge, Access: control, Limits: limiter, Logger: c.Logger(), Registry: registry, Loops: new(pulse.Loops), Tracer: traces.Tracer()}
	if c.MonitorListen != "" {
		if api.Monitor, err = listen(ctx, "--monitor-listen", c.MonitorListen); err != nil {
			return errors.Join(err, listener.Close())
		}
	}
	if c.required() {
		c.Logger().Info("access control is on")
	} else {
		c.Logger().Warn("no access control: whoever reaches the API may do everything", "listen", c.Listen)
	}
	if c.required() && c.TLSCert == "" && c.TrustedProxies == "" && httpapi.CheckListen(c.Listen, false) != nil {
		c.Logger().Warn("tokens and API keys cross the network in clear: give --tls-cert and --tls-key, or --trusted-proxies if a proxy in front has TLS")
	}
	return served(ctx, api.Run(ctx, listener, func() { ready(c.scheme(), listener) }))
}

// FanoutFlags say how notifications reach inboxes.
type FanoutFlags struct {
	FanoutStoreLimit int `help:"Subscribers up to which a topic's notifications are stored per recipient; above it they are joined when read." default:"${store_limit}" unit:"subscribers" env:"TIDINGS_FANOUT_STORE_LIMIT"`
}

// Validate refuses what means nothing.
func (f FanoutFlags) Validate() error {
	if f.FanoutStoreLimit < 0 {
		return errors.New("--fanout-store-limit must not be negative")
	}
	return nil
}

// RetentionFlags say what inboxes keep.
type RetentionFlags struct {
	InboxKeepAge     time.Duration `help:"Hide items older than this; 0 keeps them for ever." default:"0s" env:"TIDINGS_INBOX_KEEP_AGE"`
	InboxKeepItems   int           `help:"Hide all but the newest so many items of each user; 0 keeps all." default:"0" unit:"items" env:"TIDINGS_INBOX_KEEP_ITEMS"`
	InboxKeepHistory time.Duration `help:"Delete from the tables what has been hidden for longer than this. Answers about older times are read from the log." default:"${keep_history}" env:"TIDINGS_INBOX_KEEP_HISTORY"`
}

// Validate refuses what means nothing.
func (f RetentionFlags) Validate() (err error) {
	if f.InboxKeepAge < 0 {
		err = errors.Join(err, errors.New("--inbox-keep-age must not be negative"))
	}
	if f.InboxKeepItems < 0 {
		err = errors.Join(err, errors.New("--inbox-keep-items must not be negative"))
	}
	if f.InboxKeepHistory <= 0 {
		err = errors.Join(err, errors.New("--inbox-keep-history must be more than 0"))
	}
	return err
}

func (f RetentionFlags) retention() projections.Retention {
	return projections.Retention{KeepAge: f.InboxKeepAge, KeepItems: f.InboxKeepItems, KeepHistory: f.InboxKeepHistory}
}

// ProjectorCommand is the program projector.
type ProjectorCommand struct {
	Config ConfigFlag `help:"JSON file of settings, by the flags' names without --; flags and environment win. tidings config check judges one." placeholder:"FILE"`
	LogFlags
	TraceFlags
	ConnectFlags
	FanoutFlags
	RetentionFlags
	SelfCheckFlags
	TLSFlags
	Listen   string `help:"Address to serve health and metrics on." default:"127.0.0.1:8081" env:"TIDINGS_LISTEN"`
	Insecure bool   `help:"Listen on an address that others can reach, though there is no access control." env:"TIDINGS_INSECURE"`
}

// Validate refuses an address that must not be listened on, and what means nothing.
func (c *ProjectorCommand) Validate() error {
	return errors.Join(c.TraceFlags.Validate(), c.FanoutFlags.Validate(), c.RetentionFlags.Validate(), c.SelfCheckFlags.Validate(), c.TLSFlags.check(), httpapi.CheckListen(c.Listen, c.Insecure))
}

// Run projects until told to stop.
func (c *ProjectorCommand) Run(ctx context.Context) error {
	listener, err := listen(ctx, "--listen", c.Listen)
	if err != nil {
		return err
	}
	if listener, err = c.encrypt(listener, c.Logger()); err != nil {
		return err
	}
	traces, err := c.TraceFlags.open(ctx, "tidings-projector", c.Logger())
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer traces.Close()
	registry := newRegistry()
	connections, err := Connect(ctx, c.EventStoreURL, c.DatabaseURL, c.Logger(), registry, traces)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer connections.Close()
	projector := Projector{
		Store: connections.Store, DatabaseURL: c.DatabaseURL, StoreLimit: c.FanoutStoreLimit,
		Retention: c.retention(), Pool: connections.Pool, SelfCheckEvery: c.SelfCheckEvery,
		Logger: c.Logger(), Registry: registry, Loops: new(pulse.Loops), Tracer: traces.Tracer(),
	}
	c.Logger().Info("projector starts", "version", version(), "listen", c.scheme()+"://"+listener.Addr().String(),
		"eventstore", masked(c.EventStoreURL), "database", masked(c.DatabaseURL))
	ready(c.scheme(), listener)
	return served(ctx, projector.Run(ctx, listener))
}

// DevCommand is `tidings dev`.
type DevCommand struct {
	LogFlags
	TraceFlags
	FanoutFlags
	RetentionFlags
	SelfCheckFlags
	AccessFlags
	LimitFlags
	EdgeFlags
	Data        string `help:"Directory of all data, made when missing." default:"./data" env:"TIDINGS_DATA"`
	Listen      string `help:"Address to serve HTTP on; without access control loopback only." default:"127.0.0.1:8080" env:"TIDINGS_LISTEN"`
	StoreListen string `help:"Address of the embedded event store; loopback only." default:"127.0.0.1:2113" env:"TIDINGS_STORE_LISTEN"`
}

// Help explains what the flags cannot.
func (c *DevCommand) Help() string {
	return `Nothing needs to be set. All data is in --data and is found again at the next start. One line is printed once it serves: ready, and the address to open. It needs PostgreSQL's programs on this machine. On SIGTERM or Ctrl-C it stops within 10 s. For example:

  tidings dev
  tidings dev --data /tmp/try --listen 127.0.0.1:9090 --log-level debug`
}

// Validate refuses addresses that others can reach, and what means nothing.
func (c *DevCommand) Validate() error {
	return errors.Join(c.TraceFlags.Validate(), c.FanoutFlags.Validate(), c.RetentionFlags.Validate(), c.SelfCheckFlags.Validate(), c.AccessFlags.Validate(),
		c.LimitFlags.Validate(), c.EdgeFlags.check(), c.reachable(), ownMachine("--store-listen", c.StoreListen))
}

// reachable refuses an address that others can reach while everybody may do everything.
func (c *DevCommand) reachable() error {
	if c.required() {
		return httpapi.CheckListen(c.Listen, true) // whether it is an address at all
	}
	return ownMachine("--listen", c.Listen)
}

// ownMachine refuses an address that others can reach, where nothing overrides that.
func ownMachine(flag, address string) error {
	if httpapi.CheckListen(address, true) != nil || httpapi.CheckListen(address, false) == nil {
		return httpapi.CheckListen(address, true) // whether it is an address at all
	}
	return fmt.Errorf("%s %s: others could reach this address, and there is no access control: use 127.0.0.1", flag, address)
}

// Run serves until told to stop.
func (c *DevCommand) Run(ctx context.Context) error {
	data, err := filepath.Abs(c.Data)
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	listener, err := listen(ctx, "--listen", c.Listen)
	if err != nil {
		return err
	}
	logger := c.Logger()
	if listener, err = c.encrypt(listener, logger); err != nil {
		return err
	}
	edge, err := c.edge(!c.required())
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	storeListener, err := listen(ctx, "--store-listen", c.StoreListen)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	logger.Info("tidings dev starts", "version", version(), "listen", c.scheme()+"://"+listener.Addr().String(), "eventstore", storeListener.Addr().String())
	if c.required() {
		logger.Info("development mode: access control is on", "data", data)
	} else {
		logger.Info("development mode: no access control, loopback only", "data", data)
	}
	traces, err := c.TraceFlags.open(ctx, "tidings", logger)
	if err != nil {
		return errors.Join(err, listener.Close(), storeListener.Close())
	}
	defer traces.Close()
	dev := Dev{
		Access: c.AccessFlags, Limits: c.LimitFlags,
		Dir: data, StoreLimit: c.FanoutStoreLimit, Retention: c.retention(), SelfCheckEvery: c.SelfCheckEvery,
		Edge: edge, Logger: logger, Registry: newRegistry(), Traces: traces,
	}
	return served(ctx, dev.Run(ctx, listener, storeListener, func() { ready(c.scheme(), listener) }))
}

// PostgresCommand is `tidings postgres`.
type PostgresCommand struct {
	LogFlags
	Data string `help:"Directory of the server, made when missing." default:"./data/postgres" env:"TIDINGS_POSTGRES_DATA"`
}

// Run keeps a Postgres on 127.0.0.1 until told to stop, and prints its URL.
func (c *PostgresCommand) Run(ctx context.Context) error {
	data, err := filepath.Abs(c.Data)
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	return served(ctx, Postgres{Dir: data, TCP: true, Logger: c.Logger()}.Run(ctx, func(url string) { fmt.Println(url) }))
}

// listen takes an address that a flag gave and Validate let through.
func listen(ctx context.Context, flag, address string) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%w (something else is running there: choose another address with %s)", err, flag)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return listener, nil
}

// ready prints the one line that tells a caller where the program serves.
func ready(scheme string, listener net.Listener) {
	fmt.Fprintf(os.Stdout, "ready %s://%s\n", scheme, listener.Addr())
}

// newRegistry has what every process tells of itself.
func newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo())
	return registry
}
