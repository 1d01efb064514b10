package process

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A connection that stands and is silent must not keep its place in a pool for long:
// of few places, all would soon be taken by such, and nobody be answered long after
// Postgres is back. pgx waits two minutes for a connection, as long as the caller for
// a sign of life, and 15 s for a connection that it gives up.
const (
	// connectMost is enough for all that a new connection says, where each answer takes
	// a second.
	connectMost = 5 * time.Second
	// aliveMost is how long a connection that rested may take to say that it lives; the
	// caller, who has five seconds, then gets another one.
	aliveMost = 2 * time.Second
	// farewellMost is how long the last words to a connection that is given up may take:
	// that what it was asked is not wanted any more.
	farewellMost = time.Second
)

// bound keeps the waits of a pool's connections within these.
func bound(config *pgxpool.Config) {
	if set := &config.ConnConfig.ConnectTimeout; *set == 0 || *set > connectMost {
		*set = connectMost
	}
	if config.PingTimeout == 0 {
		config.PingTimeout = aliveMost
	}
	config.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		boundFarewell(c)
		return nil
	}
}

// boundFarewell does so for one connection: what is dialed once it is made is the way
// to take back what it was asked.
func boundFarewell(c *pgx.ConnConfig) {
	dial, made := c.DialFunc, new(atomic.Bool)
	c.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err // pgx says what it wanted
		}
		if made.Load() {
			err = conn.SetDeadline(time.Now().Add(farewellMost))
		}
		if err != nil {
			return nil, fmt.Errorf("bound the wait for Postgres: %w", err)
		}
		return hasty{conn}, nil
	}
	c.AfterConnect = func(context.Context, *pgconn.PgConn) error {
		made.Store(true)
		return nil
	}
}

// hasty is a connection on which no deadline lies further off than farewellMost: pgx
// sets one only where it gives a connection up.
type hasty struct{ net.Conn }

func (h hasty) SetDeadline(at time.Time) error {
	if most := time.Now().Add(farewellMost); at.After(most) {
		at = most
	}
	return h.Conn.SetDeadline(at)
}
