package node_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidings-io/tidings/internal/eventstore/node"
	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// durable is a node that can be stopped and opened again: the same directory, the same port.
type durable struct {
	server

	t    testing.TB
	disk vfs.FS
	addr string
}

func startDurable(t testing.TB) *durable {
	t.Helper()
	d := &durable{t: t, disk: vfs.NewMem(), addr: "127.0.0.1:0"}
	d.open()
	t.Cleanup(d.close)
	return d
}

func (d *durable) open() {
	d.t.Helper()
	log, err := eventlog.Open("store", eventlog.Options{FS: d.disk, RingEvents: 16})
	if err != nil {
		d.t.Fatal(err)
	}
	listener, err := net.Listen("tcp", d.addr)
	for deadline := time.Now().Add(patience); err != nil && time.Now().Before(deadline); {
		listener, err = net.Listen("tcp", d.addr) // a port that was just left may be taken for a moment
	}
	if err != nil {
		d.t.Fatal(err)
	}
	d.addr = listener.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	served := node.New(log, node.Options{})
	go func() { ended <- served.Serve(ctx, listener) }()
	if d.log = log; d.url == "" { // clients read it meanwhile
		d.url = "esdb://" + d.addr + "?tls=false"
	}
	d.stop = func() error {
		cancel()
		return <-ended
	}
}

func (d *durable) close() {
	d.t.Helper()
	if err := d.stop(); err != nil {
		d.t.Error(err)
	}
	if err := d.log.Close(); err != nil {
		d.t.Error(err)
	}
}

// reopen is what a restart of the process is to clients.
func (d *durable) reopen() {
	d.t.Helper()
	d.close()
	d.open()
}

// newClient is one that the caller closes: the official client gives up for good about a second after a refused connection.
func (d *durable) newClient() (*esdb.Client, error) {
	settings, err := esdb.ParseConnectionString(d.url)
	if err != nil {
		return nil, err
	}
	settings.Logger = func(esdb.LogLevel, string, ...any) {}
	return esdb.NewClient(settings)
}
