package access

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/tidings-io/tidings/internal/events"
)

const (
	maxKnown = 100_000 // holders remembered, about 300 bytes each
	// maxStrangers are the ids remembered of keys that nobody made, apart from the
	// rest so that who invents them pushes nobody out.
	maxStrangers = 10_000
	// maxLookups are the streams read at once: who waits longer for a place than
	// lookupTimeout, which also bounds the reading, is told to come back.
	maxLookups    = 32
	lookupTimeout = 3 * time.Second
)

// Log is the log as an Authority reads it.
type Log interface {
	Read(ctx context.Context, stream events.StreamName, from events.Revision) iter.Seq2[events.Stored, error]
	SubscribeTo(ctx context.Context, after events.Position, categories ...string) iter.Seq2[events.Message, error]
	Head(ctx context.Context) (events.Position, error)
}

// register knows the standing of those who came, and hears of changes.
type register struct {
	log     Log
	lookups chan struct{} // a token each
	flights singleflight.Group
	begun   chan struct{} // closed when every later event of the log will be told

	mu        sync.Mutex
	known     *lru.Cache[events.StreamName, standing]
	strangers *lru.Cache[events.StreamName, struct{}]
	asked     map[events.StreamName]*standing // being read; what is told meanwhile
	watches   map[events.StreamName]map[*watch]struct{}
}

func newRegister(log Log) *register {
	known, _ := lru.New[events.StreamName, standing](maxKnown) // fails for sizes below 1 alone
	strangers, _ := lru.New[events.StreamName, struct{}](maxStrangers)
	return &register{
		log: log, lookups: make(chan struct{}, maxLookups), begun: make(chan struct{}),
		known: known, strangers: strangers,
		asked: make(map[events.StreamName]*standing), watches: make(map[events.StreamName]map[*watch]struct{}),
	}
}

// of is the standing of a holder: at once for one that is known, else read from the
// log. The error is ErrUnavailable or ctx's.
func (r *register) of(ctx context.Context, holder events.StreamName) (standing, error) {
	if s, ok := r.remembered(holder); ok {
		return s, nil
	}
	// One reads for all who ask at once, and for whoever comes later if they go away.
	result := r.flights.DoChan(string(holder), func() (any, error) {
		reading, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupTimeout)
		defer cancel()
		return r.lookUp(reading, holder)
	})
	select {
	case <-ctx.Done():
		return standing{}, ctx.Err()
	case got := <-result:
		s, _ := got.Val.(standing)
		return s, got.Err
	}
}

func (r *register) remembered(holder events.StreamName) (standing, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s, ok := r.known.Get(holder); ok {
		return s, true
	}
	_, stranger := r.strangers.Get(holder)
	return standing{}, stranger
}

// lookUp reads a holder's stream. What is told of the holder while it does is
// folded in behind: an event appended after the reading began is told later, and
// one that was appended before is read.
func (r *register) lookUp(ctx context.Context, holder events.StreamName) (standing, error) {
	select {
	case <-r.begun:
	case <-ctx.Done():
		return standing{}, fmt.Errorf("%w: the log is not followed yet", ErrUnavailable)
	}
	select {
	case r.lookups <- struct{}{}:
		defer func() { <-r.lookups }()
	case <-ctx.Done():
		return standing{}, fmt.Errorf("%w: many are asked about", ErrUnavailable)
	}
	r.mu.Lock()
	meanwhile := &standing{}
	r.asked[holder] = meanwhile
	r.mu.Unlock()
	s, err := r.read(ctx, holder)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.asked, holder)
	if err != nil {
		return standing{}, fmt.Errorf("%w: read %s: %w", ErrUnavailable, holder, err)
	}
	s = s.merge(*meanwhile)
	if s.key == nil && holder.Category() == events.CategoryKey {
		r.strangers.Add(holder, struct{}{})
	} else {
		r.known.Add(holder, s)
	}
	return s, nil
}

// merge adds what was told later.
func (s standing) merge(later standing) standing {
	if s.key == nil {
		s.key = later.key
	}
	if later.revoked.After(s.revoked) {
		s.revoked = later.revoked
	}
	return s
}

func (r *register) read(ctx context.Context, holder events.StreamName) (standing, error) {
	var s standing
	for stored, err := range r.log.Read(ctx, holder, 0) {
		if err != nil {
			if holder.Category() == events.CategoryKey && errors.Is(err, events.ErrStreamDeleted) {
				return standing{}, nil // an operator took the key away for good
			}
			return s, err
		}
		recorded, err := events.Decode(stored)
		if err != nil {
			return s, err
		}
		s = s.evolve(recorded)
	}
	return s, nil
}

// follow tells the register every change until ctx ends. Its error is ctx's.
func (r *register) follow(ctx context.Context, undecodable func(events.Stored, error)) error {
	after, err := r.start(ctx)
	if err != nil {
		return err
	}
	close(r.begun)
	for msg, err := range r.log.SubscribeTo(ctx, after, events.CategoryKey, events.CategoryTokens) {
		switch {
		case err != nil:
			return err
		case msg.Event == nil:
			continue
		}
		recorded, err := events.Decode(*msg.Event)
		if err != nil { // of a later version: whoever it is about is read anew, which says the same
			undecodable(*msg.Event, err)
			r.forget(msg.Event.Stream)
			continue
		}
		r.tell(recorded)
	}
	return ctx.Err()
}

// start is the head of the log; it asks until it is told or ctx ends.
func (r *register) start(ctx context.Context) (events.Position, error) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		at, err := r.log.Head(ctx)
		if err == nil {
			return at, nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-tick.C:
		}
	}
}

// tell folds a change and ends what is open and no longer holds.
func (r *register) tell(e events.Recorded) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.strangers.Remove(e.Stream)
	if s, ok := r.known.Peek(e.Stream); ok {
		r.known.Add(e.Stream, s.evolve(e))
	}
	if s := r.asked[e.Stream]; s != nil {
		*s = s.evolve(e)
	}
	now := standing{}.evolve(e)
	for w := range r.watches[e.Stream] {
		if err := now.judge(&w.identity); err != nil {
			w.end(err)
		}
	}
}

// forget has a holder read anew, and ends what is open under its name: what was said
// of it cannot be read.
func (r *register) forget(holder events.StreamName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known.Remove(holder)
	r.strangers.Remove(holder)
	for w := range r.watches[holder] {
		w.end(fmt.Errorf("%w: an event of %s cannot be read", ErrUnavailable, holder))
	}
}
