package esdb

import (
	"context"
	"fmt"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/cenkalti/backoff/v5"

	"github.com/tidings-io/tidings/internal/events"
)

const (
	// patience is how long a call waits for a store that is away: long enough for
	// a restart to go unnoticed, short enough for an honest answer in time.
	patience = time.Second
	// checkEvery is how often an idle connection has to prove that it lives.
	checkEvery = 2 * time.Second
	// checkTimeout is how long it may take for that. A busy machine answers late;
	// a store that is gone for more than this is away.
	checkTimeout = 5 * time.Second
	// steady is how long a connection must have held for the next one to be made
	// without waiting.
	steady = 10 * time.Second
	// forever is a number of discovery attempts (10 a second) no outage outlasts: a
	// client in use never gives up, so that no call is stuck in it for good.
	forever = 1 << 30
)

// newBackoff waits 50 ms, then longer, up to most; all of it jittered.
func newBackoff(most time.Duration) *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = 50*time.Millisecond, most
	return b
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err() // its callers wrap it
	}
}

// supervise keeps a connection in use until ctx ends.
func (s *Store) supervise(ctx context.Context) {
	logger, wait := s.options.Logger, newBackoff(2*time.Second)
	for connections := 0; ctx.Err() == nil; {
		c, err := s.connect(ctx)
		if err != nil {
			logger.Debug("the event store does not answer", "error", err)
			s.setWhy(err)
			_ = sleep(ctx, wait.NextBackOff()) // the loop sees ctx
			continue
		}
		if connections++; connections > 1 {
			s.metrics.reconnects.Inc()
		}
		since := time.Now()
		s.use(c)
		logger.Info("connected to the event store")
		s.watch(ctx, c)
		c.leave()
		if time.Since(since) >= steady {
			wait.Reset()
			continue
		}
		_ = sleep(ctx, wait.NextBackOff())
	}
}

// connect makes a connection that has answered. A client that gives up quickly
// goes ahead, because one that never does cannot be closed while it tries.
func (s *Store) connect(ctx context.Context) (*connection, error) {
	for _, attempts := range []int{1, forever} {
		config := s.config
		config.MaxDiscoverAttempts = attempts
		c, err := newConnection(config)
		if err != nil {
			return nil, err
		}
		if err = s.check(ctx, c); err == nil && attempts == forever {
			return c, nil
		}
		c.leave()
		if err != nil {
			return nil, explained(err)
		}
	}
	panic("unreachable: the last attempt returns")
}

// check asks the store for something small.
func (s *Store) check(ctx context.Context, c *connection) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	c.enter()
	_, err := call(ctx, s, c, func(ctx context.Context, cl *client.Client) (struct{}, error) {
		recv, err := fromEnd(ctx, cl)
		if err == nil {
			_, err = recv()
		}
		if isEnd(err) {
			err = nil // the log is empty
		}
		return struct{}{}, err
	})
	return err
}

func (s *Store) setWhy(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.why = err
}

func (s *Store) use(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return // ctx has ended: watch returns at once
	}
	s.current, s.why = c, nil
	s.metrics.connected.Set(1)
	s.announce()
}

// watch returns when the connection is lost or ctx ends.
func (s *Store) watch(ctx context.Context, c *connection) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.lost:
			return
		case <-c.suspected:
		case <-tick.C:
		}
		if err := s.check(ctx, c); err != nil && ctx.Err() == nil {
			s.lose(c, err)
			c.cut() // whatever still waits for an answer goes elsewhere
		}
	}
}

// lose takes a connection out of use; the calls inside it go on.
func (s *Store) lose(c *connection, err error) {
	s.mu.Lock()
	inUse := s.current == c
	if inUse {
		s.current, s.away, s.why = nil, time.Now(), err
		s.metrics.connected.Set(0)
		s.announce()
	}
	s.mu.Unlock()
	c.lose()
	if inUse {
		s.options.Logger.Warn("lost the event store", "error", err)
	}
}

// acquire gives a connection, as whose user the caller must start a task. While
// the store is away it waits until that has been so for a second, or, when the
// caller insists, until ctx ends.
func (s *Store) acquire(ctx context.Context, insist bool) (*connection, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		c, changed, left, err := s.look()
		switch {
		case err != nil:
			return nil, err
		case c != nil:
			return c, nil
		case insist:
			left = checkEvery // look again now and then, for nothing
		case left <= 0:
			return nil, s.unavailable()
		}
		timer := time.NewTimer(left)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// look is the connection in use, already entered, or what to wait for and how
// much patience is left.
func (s *Store) look() (*connection, <-chan struct{}, time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, nil, 0, errClosed
	case s.abandoned >= maxAbandoned:
		return nil, nil, 0, fmt.Errorf("%w: %d calls hang", events.ErrStoreUnavailable, s.abandoned)
	case s.current != nil:
		s.current.enter()
		return s.current, nil, 0, nil
	}
	return nil, s.changed, patience - time.Since(s.away), nil
}

func (s *Store) unavailable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why == nil { // it has come back this moment; the caller may try again
		return events.ErrStoreUnavailable
	}
	return fmt.Errorf("%w since %s: %w", events.ErrStoreUnavailable, s.away.UTC().Format(time.RFC3339), s.why)
}
