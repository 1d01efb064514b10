package process

import (
	"context"
	"errors"
	"fmt"
	"math"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
	"github.com/tidings-io/tidings/internal/httpapi"
)

// NodeCommand is `tidings node`: without a subcommand it serves.
type NodeCommand struct {
	Serve NodeServeCommand `cmd:"" default:"withargs" help:"Serve, as does tidings node without a command."`

	Backup  NodeBackupCommand  `cmd:"" help:"Copy the log, as it is at one moment, while the node runs or when none does."`
	Restore NodeRestoreCommand `cmd:"" help:"Make a log out of a backup."`
	Verify  NodeVerifyCommand  `cmd:"" help:"Check every record, checksum and index entry of a log or a backup."`
	Stats   NodeStatsCommand   `cmd:"" help:"Say what is in a log, and what it takes."`

	Certificate  NodeCertificateCommand  `cmd:"" help:"Make a certificate for --tls-cert and --tls-key, and an authority for clients to trust."`
	HashPassword NodeHashPasswordCommand `cmd:"" help:"Read a password from standard input and print the user's line for --users-file."`
}

// NodeServeCommand is `tidings node serve`, and what `tidings node` does by itself.
type NodeServeCommand struct {
	LogFlags
	Data          string `help:"Directory of the log, made when missing." default:"./data/eventstore" env:"TIDINGS_NODE_DATA"`
	Listen        string `help:"Address to serve the event store's protocol on." default:"127.0.0.1:2113" env:"TIDINGS_NODE_LISTEN"`
	MonitorListen string `help:"Address to serve /livez, /readyz and /metrics on, such as 127.0.0.1:2114; none unless given." placeholder:"ADDRESS" env:"TIDINGS_NODE_MONITOR_LISTEN"`
	Insecure      bool   `help:"Listen on addresses that others can reach, also without TLS and users; the monitor has neither." env:"TIDINGS_INSECURE"`
	NodeAccessFlags
	MinFreeMiB int64 `name:"min-free-mib" help:"Free space in MiB that the disk must keep: below it appends are refused until there is room. 0: 256, or a tenth of a small disk, but at least 96." default:"0" unit:"MiB" env:"TIDINGS_NODE_MIN_FREE_MIB"`
	AcceptLoss bool  `help:"Open a log that lost acknowledged events at its end, and go on without them; their positions are not used again."`
}

// Validate refuses addresses that must not be listened on, and what means nothing.
func (c *NodeServeCommand) Validate() error {
	err := c.check(c.Listen, c.Insecure)
	if c.MinFreeMiB < 0 || c.MinFreeMiB > math.MaxInt64>>20 {
		err = errors.Join(err, errors.New("--min-free-mib is no amount of space"))
	}
	if c.MonitorListen != "" {
		err = errors.Join(err, httpapi.CheckListen(c.MonitorListen, c.Insecure))
	}
	return err
}

// Run serves until told to stop.
func (c *NodeServeCommand) Run(ctx context.Context) error {
	certificate, users, err := c.open(c.Logger())
	if err != nil {
		return err
	}
	listener, err := listen(ctx, "--listen", c.Listen)
	if err != nil {
		return err
	}
	registry := newRegistry()
	node := Node{
		Dir: c.Data, Log: eventlog.Options{MinFree: c.MinFreeMiB << 20, AcceptLoss: c.AcceptLoss},
		Certificate: certificate, Users: users, Logger: c.Logger(), Registerer: registry, Gatherer: registry,
	}
	if c.MonitorListen != "" {
		if node.Monitor, err = listen(ctx, "--monitor-listen", c.MonitorListen); err != nil {
			return errors.Join(err, listener.Close())
		}
	}
	c.Logger().Info("node starts", "version", version(), "listen", listener.Addr().String(), "data", c.Data)
	return served(ctx, node.Run(ctx, listener, func() {
		fmt.Printf("ready esdb://%s?tls=%t\n", listener.Addr(), certificate != nil)
	}))
}
