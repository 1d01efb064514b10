package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings-io/tidings/internal/eventstore/node"
	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// Node is the embedded event store.
type Node struct {
	Dir        string
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Run opens the log in Dir and serves it on the listener until ctx ends. Opened,
// if not nil, is called when the log is open.
func (n Node) Run(ctx context.Context, listener net.Listener, opened func()) error {
	log, err := eventlog.Open(n.Dir, eventlog.Options{Logger: n.Logger})
	if err != nil {
		return errors.Join(fmt.Errorf("open the event log in %s: %w", n.Dir, err), listener.Close())
	}
	if opened != nil {
		opened()
	}
	err = node.New(log, node.Options{Registerer: n.Registerer, Logger: n.Logger}).Serve(ctx, listener)
	return errors.Join(err, log.Close())
}
