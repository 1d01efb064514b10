package esdb_test

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// mode is what a proxy does with what passes through it.
type mode int32

const (
	pass    mode = iota
	swallow      // requests arrive, answers do not
	deaf         // nothing arrives, but the connection stands
	refuse       // new connections are closed at once
)

// proxy stands between a store and its server, and misbehaves when told.
type proxy struct {
	listener net.Listener
	backend  string
	mode     atomic.Int32

	lost     atomic.Int64 // bytes that did not get through
	serial   atomic.Int64 // of the last connection
	stranded atomic.Int64 // connections up to this one are deaf for ever

	mu    sync.Mutex
	conns map[net.Conn]bool
	done  bool
	wait  sync.WaitGroup
}

func startProxy(t *testing.T, backend string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	p := &proxy{listener: listener, backend: backend, conns: map[net.Conn]bool{}}
	p.wait.Go(p.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		p.mu.Lock()
		p.done = true
		p.mu.Unlock()
		p.cut()
		p.wait.Wait()
	})
	return p
}

func (p *proxy) url() string { return "esdb://" + p.listener.Addr().String() + "?tls=false" }

// set changes the mode, for connections that stand, too.
func (p *proxy) set(m mode) { p.mode.Store(int32(m)) }

func (p *proxy) is(m mode) bool { return mode(p.mode.Load()) == m }

// strand leaves every connection that stands silent for ever, as a machine does
// that has lost its power.
func (p *proxy) strand() { p.stranded.Store(p.serial.Load()) }

// cut breaks every connection that stands.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
	clear(p.conns)
}

func (p *proxy) accept() {
	for {
		front, err := p.listener.Accept()
		if err != nil {
			return
		}
		if p.is(refuse) {
			_ = front.Close()
			continue
		}
		back, err := net.Dial("tcp", p.backend)
		if err != nil {
			_ = front.Close()
			continue
		}
		if !p.keep(front, back) {
			return
		}
		serial := p.serial.Add(1)
		p.wait.Go(func() { p.copy(serial, back, front, deaf) })
		p.wait.Go(func() { p.copy(serial, front, back, swallow, deaf) })
	}
}

func (p *proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if p.done {
			_ = c.Close()
			continue
		}
		p.conns[c] = true
	}
	return !p.done
}

// copy passes bytes on, but for those that meet one of the modes.
func (p *proxy) copy(serial int64, to, from net.Conn, but ...mode) {
	defer func() {
		_ = to.Close()
		_ = from.Close()
	}()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		lost := serial <= p.stranded.Load()
		for _, m := range but {
			lost = lost || p.is(m)
		}
		if lost {
			p.lost.Add(int64(n))
			continue
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}
