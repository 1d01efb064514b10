package soak

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"syscall"
	"testing"
	"time"
)

const (
	// slack is how much slower than ours a machine may be.
	slack = 3
	// killedTakeover is how long nobody projects after the leader has died: the database knows at once, whoever stands by
	// asks twice a second, and a lag is told once a second.
	killedTakeover = slack * 5 * time.Second
	// silentTakeover is that after a leader that merely says nothing any more: five seconds longer.
	silentTakeover = slack * 10 * time.Second
	// recoveryLimit is how long everything may take to be well after a fault.
	recoveryLimit = slack * 10 * time.Second
)

// TestTakeover has two projectors, and lets the one that leads die, freeze and fall silent while the crew works. The
// other must lead soon, and what the first may have begun must not be seen.
func TestTakeover(t *testing.T) { // not parallel: it starts a whole system
	if testing.Short() {
		t.Skip("starts a whole system")
	}
	binary(t, "tidings") // compiling is not part of what has a deadline
	ctx, cancel := context.WithTimeoutCause(t.Context(), 4*time.Minute, errors.New("the test took too long"))
	defer cancel()
	parts := startParts(t)
	one, other := newStandIn(t, "one", parts), newStandIn(t, "other", parts)
	api, address := parts.program(t, "api")
	untilReady(t, one.program, one.url)
	untilReady(t, other.program, other.url)
	untilReady(t, api, address)
	crew := newCrew(t, address, 4)
	readers := follow(ctx, t, address, crew.users())

	for _, fall := range []struct {
		name   string
		within time.Duration
		begin  func(*standIn)
		end    func(*standIn)
	}{
		{"killed", killedTakeover, func(p *standIn) { p.kill() }, func(p *standIn) { p.launch(t) }},
		{"frozen", silentTakeover, func(p *standIn) { p.signal(t, syscall.SIGSTOP) }, func(p *standIn) { p.signal(t, syscall.SIGCONT) }},
		{"cut off, and the database is not told", silentTakeover,
			func(p *standIn) { p.wire.silence(ctx, t) }, func(p *standIn) { p.wire.hear(ctx, t) }},
		{"killed, the second time", killedTakeover, func(p *standIn) { p.kill() }, func(p *standIn) { p.launch(t) }},
	} {
		leads, stands := one, other
		eventually(ctx, t, recoveryLimit, "one of them leads", func() error {
			if leads.current(ctx) != nil {
				leads, stands = stands, leads
			}
			return leads.current(ctx)
		})
		rest := crew.work(ctx, t)
		began := time.Now()
		fall.begin(leads)
		eventually(ctx, t, fall.within, "the other takes over from one that is "+fall.name, func() error { return stands.current(ctx) })
		t.Logf("%s: the other leads, with no lag, %s after", fall.name, time.Since(began).Round(10*time.Millisecond))
		fall.end(leads)
		eventually(ctx, t, recoveryLimit, "the first stands by", func() error { return leads.standsBy(ctx) })
		rest()
		crew.check(ctx, t, readers)
		if err := stands.current(ctx); err != nil {
			t.Errorf("%s: the other does not lead any more: %v", fall.name, err)
		}
		if t.Failed() {
			t.Fatalf("%s: see above", fall.name)
		}
	}
	t.Logf("the crew had %d commands done, %d refused, %d in doubt", crew.done.Load(), crew.refused.Load(), crew.doubted.Load())
	for _, p := range []*program{one.program, other.program, api} {
		p.stop(t)
	}
}

// standIn is one of two projectors, which reaches the database by a wire of its own.
type standIn struct {
	*program

	parts parts
	wire  *wire
	url   string
}

func newStandIn(t *testing.T, name string, behind parts) *standIn {
	t.Helper()
	p := &standIn{parts: behind}
	p.wire, p.parts.database = wireToDatabase(t, "the database of "+name, behind.database)
	p.launch(t)
	return p
}

func (p *standIn) launch(t *testing.T) {
	t.Helper()
	p.program, p.url = p.parts.program(t, "projector")
}

func (p *standIn) signal(t *testing.T, what syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(what); err != nil {
		t.Fatal(err)
	}
}

// current is nil if this one leads, and is not behind.
func (p *standIn) current(ctx context.Context) error { return projecting(ctx, p.url) }

func (p *standIn) standsBy(ctx context.Context) error {
	got, err := scrape(ctx, p.url, `tidings_projection_active{projection="inbox"}`)
	if err == nil && got[0] != 0 {
		err = errors.New("it says that it leads")
	}
	if err == nil {
		err = ready(ctx, p.url)
	}
	return err
}

// wireToDatabase lays a wire to a database and returns the URL by which it is reached.
func wireToDatabase(t *testing.T, name, database string) (*wire, string) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	w := startWire(t, name, u.Host)
	u.Host = w.address()
	return w, u.String()
}

// projecting is nil if a projector leads, and is not behind.
func projecting(ctx context.Context, projector string) error {
	got, err := scrape(ctx, projector, `tidings_projection_active{projection="inbox"}`,
		`tidings_projection_lag_events{projection="inbox"}`, `tidings_projection_lag_seconds{projection="inbox"}`)
	if err != nil {
		return err
	}
	if active, events, seconds := got[0], got[1], got[2]; active != 1 || events > lagEvents || seconds > lagSeconds {
		return fmt.Errorf("active is %v, and the lag %v events, %v s; want 1 and no lag", active, events, seconds)
	}
	return nil
}

// What counts as no lag while the crew works: what came between two looks.
const (
	lagEvents  = 20
	lagSeconds = 0.5
)
