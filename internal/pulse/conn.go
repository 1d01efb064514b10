package pulse

import (
	"context"
	"net"
)

// Conn is a connection whose loop rests while it waits for the other side, and is at
// work again once that has answered: how long the other side takes is none of the
// loop's doing.
type Conn struct {
	net.Conn

	Pulse *Pulse
}

// Read waits for the other side.
func (c Conn) Read(b []byte) (int, error) {
	c.Pulse.Rest()
	defer c.Pulse.Beat()
	return c.Conn.Read(b)
}

// Write waits until the other side has room.
func (c Conn) Write(b []byte) (int, error) {
	c.Pulse.Rest()
	defer c.Pulse.Beat()
	return c.Conn.Write(b)
}

// Dial makes connections of this kind with what dials. Its loop rests while it dials.
func Dial(p *Pulse, dial func(ctx context.Context, network, address string) (net.Conn, error)) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		p.Rest()
		defer p.Beat()
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return Conn{Conn: conn, Pulse: p}, nil
	}
}
