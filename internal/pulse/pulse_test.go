package pulse

import (
	"net"
	"testing"
	"testing/synctest"
	"time"
)

func TestOnlyWorkThatDoesNotEndIsStuck(t *testing.T) {
	t.Parallel()
	const limit = time.Minute
	for name, c := range map[string]struct {
		do   func(*Pulse)
		want time.Duration
	}{
		"a loop that has not begun":    {func(*Pulse) { time.Sleep(time.Hour) }, 0},
		"one that waits for others":    {func(p *Pulse) { p.Beat(); p.Rest(); time.Sleep(time.Hour) }, 0},
		"one at work for the limit":    {func(p *Pulse) { p.Beat(); time.Sleep(limit) }, 0},
		"one at work for longer":       {func(p *Pulse) { p.Beat(); time.Sleep(limit + time.Second) }, limit + time.Second},
		"one that moves":               {func(p *Pulse) { beat(p, 100) }, 0},
		"one that moved, and is not":   {func(p *Pulse) { beat(p, 3); time.Sleep(time.Hour) }, time.Hour + time.Second},
		"one that moves again":         {func(p *Pulse) { p.Beat(); time.Sleep(time.Hour); p.Beat() }, 0},
		"one that waits, after an age": {func(p *Pulse) { p.Beat(); time.Sleep(time.Hour); p.Rest() }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				loops := new(Loops)
				p := loops.Begin("loop")
				c.do(p)
				if got := loops.Stuck(limit)["loop"].Round(time.Millisecond); got != c.want {
					t.Errorf("got %s, want %s", got, c.want)
				}
				loops.End("loop", p)
				if got := loops.Stuck(0); len(got) > 0 {
					t.Errorf("after its end: got %v, want none", got)
				}
			})
		})
	}
}

func beat(p *Pulse, n int) {
	for range n {
		p.Beat()
		time.Sleep(time.Second)
	}
}

// TestALoopThatBeganAgainIsNotForgotten by the end of the one before.
func TestALoopThatBeganAgainIsNotForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		loops := new(Loops)
		first := loops.Begin("loop")
		second := loops.Begin("loop")
		loops.End("loop", first)
		second.Beat()
		time.Sleep(time.Second)
		if got := loops.Stuck(0)["loop"]; got <= 0 {
			t.Errorf("got %s, want more than 0", got)
		}
	})
}

func TestNobodyIsStuckWhereNobodyAsks(t *testing.T) {
	t.Parallel()
	var loops *Loops
	p := loops.Begin("loop")
	p.Beat()
	p.Rest()
	loops.End("loop", p)
	if got, stuck := p.Stuck(), loops.Stuck(0); got != 0 || stuck != nil {
		t.Errorf("got %s and %v, want nothing", got, stuck)
	}
}

// TestWaitingForTheOtherSideIsNoWork: a server that takes a question and never
// answers keeps nobody from being alive.
func TestWaitingForTheOtherSideIsNoWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		p := new(Pulse)
		conn := Conn{Conn: ours, Pulse: p}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			p.Beat()
			_, _ = conn.Write([]byte("?")) // nobody takes it for an hour
			_, _ = conn.Read(make([]byte, 1))
			time.Sleep(time.Hour) // this is our own doing
		}()
		time.Sleep(time.Hour)
		if got := p.Stuck(); got != 0 {
			t.Errorf("while it writes: got %s, want 0", got)
		}
		_, _ = theirs.Read(make([]byte, 1))
		time.Sleep(time.Hour)
		if got := p.Stuck(); got != 0 {
			t.Errorf("while it reads: got %s, want 0", got)
		}
		_, _ = theirs.Write([]byte("!"))
		time.Sleep(30 * time.Minute)
		if got := p.Stuck(); got < 30*time.Minute {
			t.Errorf("after the answer: got %s, want 30m", got)
		}
		<-ended
	})
}
