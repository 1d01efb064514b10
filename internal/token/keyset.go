package token

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultRefresh = 20 * time.Second
	// maxRefresh leaves room for a second try before what was fetched is too old.
	maxRefresh = 25 * time.Second
	// maxAge is for how long fetched keys verify tokens: a key that was withdrawn must not, after a minute.
	maxAge = time.Minute
	// jitter keeps instances that started together from fetching together.
	jitter = 0.1
	// extraEvery bounds the fetches that tokens cause: anybody may send tokens that name unknown keys.
	extraEvery = 5 * time.Second
	// extraWait is how long the sender of such a token is kept waiting.
	extraWait = 2 * time.Second
	// maxWaiting bounds how many wait so at once, each with a request in memory; more are answered at once, as if they had waited.
	maxWaiting = 256
)

// keySet holds the keys fetched from a URL, and fetches them.
type keySet struct {
	source  source // of no URL: there is no key set
	refresh time.Duration
	report  report

	keys  atomic.Pointer[keys] // never nil
	asked chan struct{}        // holds one if the flight was asked for and has not begun

	mu        sync.Mutex
	changed   chan struct{} // closed, and replaced, when other keys are in force
	flight    chan struct{} // closed when the fetch that was asked for, or goes on, has ended; nil if there is none
	nextExtra time.Time     // no fetch is asked for before it
	waiting   int
}

func newKeySet(o Options, algorithms []string) (*keySet, error) {
	from, err := newSource(o.KeySetURL, o.Client, algorithms)
	if err != nil {
		return nil, err
	}
	if o.Refresh == 0 {
		o.Refresh = defaultRefresh
	}
	if o.Refresh < 0 || o.Refresh > maxRefresh {
		return nil, fmt.Errorf("the key set every %s: it must be fetched at least every %s", o.Refresh, maxRefresh)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &keySet{source: from, refresh: o.Refresh, asked: make(chan struct{}, 1), changed: make(chan struct{})}
	s.keys.Store(&keys{})
	fetches, err := newMetrics(o.Registerer, s)
	if err != nil {
		return nil, err
	}
	s.report = report{logger: o.Logger, fetches: fetches}
	return s, nil
}

func (s *keySet) none() bool { return s.source.url == "" }

// run fetches, when it is time or when it is asked to: only here, so that there is never more than one fetch.
func (s *keySet) run(ctx context.Context) error {
	if s.none() {
		<-ctx.Done()
		return nil
	}
	defer s.source.close()
	due := time.NewTimer(0)
	defer due.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-due.C:
		case <-s.asked:
		}
		s.fetch(ctx)
		due.Reset(time.Duration(float64(s.refresh) * (1 - jitter + 2*jitter*rand.Float64()))) //nolint:gosec // when to fetch is no secret
	}
}

// fetch replaces the keys, or keeps the old ones if the new cannot be had.
func (s *keySet) fetch(ctx context.Context) {
	s.begin()
	defer s.end()
	old := s.keys.Load()
	began := time.Now() // the keys are as old as the question, not as the answer
	got, err := s.source.fetch(ctx)
	switch {
	case ctx.Err() != nil: // cut short by our own end, which is no fault
	case err != nil:
		s.report.failed(err, old)
	default:
		fresh := &keys{list: got.keys, fetched: began}
		s.keys.Store(fresh)
		s.report.fetched(got, old)
		if !old.same(fresh) {
			s.change()
		}
	}
}

func (s *keySet) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flight == nil {
		s.flight = make(chan struct{})
	}
}

func (s *keySet) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select { // who asked meanwhile was answered by this fetch
	case <-s.asked:
	default:
	}
	close(s.flight)
	s.flight = nil
}

// again waits for the fetch that goes on, or asks for one if that may be, and returns the keys that are in force then.
func (s *keySet) again(ctx context.Context) *keys {
	flight := s.board()
	if flight == nil {
		return s.keys.Load()
	}
	defer s.leave()
	enough := time.NewTimer(extraWait)
	defer enough.Stop()
	select {
	case <-flight:
	case <-enough.C:
	case <-ctx.Done():
	}
	return s.keys.Load()
}

// board returns what to wait for; nil: nothing, and leave is not to be called.
func (s *keySet) board() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting >= maxWaiting {
		return nil
	}
	if s.flight == nil {
		now := time.Now()
		if now.Before(s.nextExtra) {
			return nil
		}
		s.nextExtra = now.Add(extraEvery)
		s.flight = make(chan struct{})
		s.asked <- struct{}{} // has room: who asks makes a flight, and asks only without one
	}
	s.waiting++
	return s.flight
}

func (s *keySet) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting--
}

func (s *keySet) changes() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// change is called when the new keys are in force: who is woken by it sees them.
func (s *keySet) change() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

// keys are those that one fetch brought. They do not change.
type keys struct {
	list    []setKey
	fetched time.Time // zero: never
}

// setKey is a key with its name in the set, "" if it has none.
type setKey struct {
	Key

	id string
}

// usable is nil if tokens may be verified with the keys now, else an ErrUnavailable.
func (k *keys) usable() error {
	switch {
	case k.fetched.IsZero():
		return fmt.Errorf("%w: the key set has not been fetched yet", ErrUnavailable)
	case time.Since(k.fetched) > maxAge:
		return fmt.Errorf("%w: the key set could not be fetched for more than %s", ErrUnavailable, maxAge)
	default:
		return nil
	}
}

// has tells whether there is a key of that name. No key has the name "".
func (k *keys) has(id string) bool {
	for _, key := range k.list {
		if id != "" && key.id == id {
			return true
		}
	}
	return false
}

// named are the keys of that name, or for a token that names none all of them, first those without a name.
func (k *keys) named(id string) (of []Key) {
	for _, key := range k.list {
		if key.id == id {
			of = append(of, key.Key)
		}
	}
	if id != "" {
		return of
	}
	for _, key := range k.list {
		if key.id != "" {
			of = append(of, key.Key)
		}
	}
	return of
}

// same tells whether the same keys are in both, whatever they are called.
func (k *keys) same(other *keys) bool {
	return k.within(other) && other.within(k)
}

func (k *keys) within(other *keys) bool {
	in := map[fingerprint]bool{}
	for _, key := range other.list {
		in[key.print] = true
	}
	for _, key := range k.list {
		if !in[key.print] {
			return false
		}
	}
	return true
}
