package soak

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/rs/zerolog"
)

// wire is the connection between two programs, which can be made bad.
type wire struct {
	proxy *toxiproxy.Proxy
	mute  *mute
}

// startWire lays one to an address; it is taken away when the test is over.
func startWire(t *testing.T, name, upstream string) *wire {
	t.Helper()
	quiet := zerolog.Nop()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), quiet)
	w := &wire{proxy: toxiproxy.NewProxy(server, name, freeAddress(t), upstream), mute: &mute{over: make(chan struct{})}}
	mutes.Store(name, w.mute)
	if err := w.proxy.Start(); err != nil {
		t.Fatalf("lay a wire for %s: %v", name, err)
	}
	t.Cleanup(func() {
		close(w.mute.over)
		w.proxy.Stop()
	})
	for _, stream := range []string{"upstream", "downstream"} {
		w.spoil(t, `{"type":"mute","name":"mute_`+stream+`","stream":"`+stream+`","attributes":{"wire":"`+name+`"}}`)
	}
	return w
}

func (w *wire) address() string { return w.proxy.Listen }

// spoil adds a toxic of the library.
func (w *wire) spoil(t *testing.T, toxic string) {
	t.Helper()
	if _, err := w.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
		t.Fatalf("add %s: %v", toxic, err)
	}
}

// unspoil takes it away again.
func (w *wire) unspoil(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	if err := w.proxy.Toxics.RemoveToxic(ctx, name); err != nil {
		t.Fatalf("remove %s: %v", name, err)
	}
}

// cut breaks all connections and refuses new ones until mend.
func (w *wire) cut(context.Context, *testing.T) { w.proxy.Stop() }

func (w *wire) mend(_ context.Context, t *testing.T) {
	t.Helper()
	if err := w.proxy.Start(); err != nil {
		t.Fatalf("mend the wire for %s: %v", w.proxy.Name, err)
	}
}

// silence has everything vanish that is sent, the end of a connection too, while connections stand and new ones are
// made: nobody is told anything. hear lets new connections work; those that stood stay silent for good, as they do
// behind a router that has forgotten them.
func (w *wire) silence(context.Context, *testing.T) { w.mute.on.Store(true) }

func (w *wire) hear(context.Context, *testing.T) {
	w.mute.through.Store(w.mute.serial.Load())
	w.mute.on.Store(false)
}

// mute is a wire's silence.
type mute struct {
	on      atomic.Bool
	serial  atomic.Int64  // of the last connection, counted once in each direction
	through atomic.Int64  // connections up to this one are silent for good
	over    chan struct{} // closed when the wire is taken away
}

// mutes are what muteToxic finds its wire's by: the library makes toxics from JSON. It is keyed by the wire's name.
var mutes sync.Map

// muteToxic is the library's timeout toxic, but for connections that outlive the fault: that one closes them.
type muteToxic struct {
	Wire string `json:"wire"`
}

func init() { toxics.Register("mute", new(muteToxic)) } //nolint:gochecknoinits // the library knows its toxics by name

// NewState is the connection's serial number.
func (m *muteToxic) NewState() any { return muteOf(m.Wire).serial.Add(1) }

// Pipe passes on what comes, or lets it vanish.
func (m *muteToxic) Pipe(stub *toxics.ToxicStub) {
	mute := muteOf(m.Wire)
	serial := stub.State.(int64) // NewState made it
	for {
		select {
		case <-stub.Interrupt:
			return
		case chunk := <-stub.Input:
			silent := mute.on.Load() || serial <= mute.through.Load()
			switch {
			case chunk == nil && silent: // nobody hears that the connection has ended
				select {
				case <-stub.Interrupt:
					return
				case <-mute.over:
				}
				stub.Close()
				return
			case chunk == nil:
				stub.Close()
				return
			case !silent:
				stub.Output <- chunk
			}
		}
	}
}

func muteOf(wire string) *mute {
	found, ok := mutes.Load(wire)
	if !ok {
		panic("no wire is called " + wire)
	}
	return found.(*mute) // nothing else is stored
}

// toxics of the library, both ways.
const (
	slowly = `{"type":"latency","name":"slow_%[1]s","stream":"%[1]s","attributes":{"latency":300,"jitter":200}}`
	drops  = `{"type":"slicer","name":"drip_%[1]s","stream":"%[1]s","attributes":{"average_size":32,"size_variation":8,"delay":10000}}`
)

var bothWays = []string{"upstream", "downstream"}

// delay has all that is said come late; hurry ends that.
func (w *wire) delay(_ context.Context, t *testing.T) { w.spoilBoth(t, slowly) }
func (w *wire) hurry(ctx context.Context, t *testing.T) {
	w.unspoilBoth(ctx, t, "slow_")
}

// drip has it come in bits of some bytes; flow ends that.
func (w *wire) drip(_ context.Context, t *testing.T) { w.spoilBoth(t, drops) }
func (w *wire) flow(ctx context.Context, t *testing.T) {
	w.unspoilBoth(ctx, t, "drip_")
}

func (w *wire) spoilBoth(t *testing.T, toxic string) {
	t.Helper()
	for _, way := range bothWays {
		w.spoil(t, fmt.Sprintf(toxic, way))
	}
}

func (w *wire) unspoilBoth(ctx context.Context, t *testing.T, prefix string) {
	t.Helper()
	for _, way := range bothWays {
		w.unspoil(ctx, t, prefix+way)
	}
}
