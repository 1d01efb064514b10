package soak

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// crewSize is how many users work, and read along.
	crewSize = 6
	// quickly is how long a command takes when all is well.
	quickly = time.Second
	// faultFor is how long a fault lasts, and faultForLong with -soak: longer than any deadline, so that every one is met.
	faultFor     = 3500 * time.Millisecond
	faultForLong = 25 * time.Second
)

// fault is a way in which a wire can be bad.
type fault struct {
	name       string
	begin, end func(*wire, context.Context, *testing.T)
}

var faults = []fault{
	{"slow, 300 ms ± 200 each way", (*wire).delay, (*wire).hurry},
	{"cut", (*wire).cut, (*wire).mend},
	{"half-open", (*wire).silence, (*wire).hear},
	{"a slow drip, 3 kB/s", (*wire).drip, (*wire).flow},
}

// toxics of the library, both ways.
const (
	slowly = `{"type":"latency","name":"slow_%[1]s","stream":"%[1]s","attributes":{"latency":300,"jitter":200}}`
	drops  = `{"type":"slicer","name":"drip_%[1]s","stream":"%[1]s","attributes":{"average_size":32,"size_variation":8,"delay":10000}}`
)

var bothWays = []string{"upstream", "downstream"}

func (w *wire) delay(_ context.Context, t *testing.T) { w.spoilBoth(t, slowly) }
func (w *wire) hurry(ctx context.Context, t *testing.T) {
	w.unspoilBoth(ctx, t, "slow_")
}
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

// TestFaults lets each connection between two programs be slow, cut, half-open and a drip, one after the other, while a
// crew works. Whoever asks is answered in time throughout, and soon after each fault all is as if there had been none.
func TestFaults(t *testing.T) { // not parallel: it starts a whole system
	if testing.Short() {
		t.Skip("starts a whole system")
	}
	lasts, rounds, limit := faultFor, 1, 6*time.Minute
	if *long {
		lasts, rounds, limit = faultForLong, 2, 40*time.Minute
	}
	binary(t, "tidings") // compiling is not part of what has a deadline
	ctx, cancel := context.WithTimeoutCause(t.Context(), limit, errors.New("the test took too long"))
	defer cancel()
	s := startFaulty(ctx, t)
	var table []string
	for range rounds {
		for _, w := range s.wires {
			for _, f := range faults {
				if table = append(table, s.suffer(ctx, t, w, f, lasts)); t.Failed() {
					t.Fatalf("%s, %s: see above; so far:\n%s", w.proxy.Name, f.name, strings.Join(table, "\n"))
				}
			}
		}
	}
	t.Logf("the crew had %d commands done, %d refused, %d in doubt", s.crew.done.Load(), s.crew.refused.Load(), s.crew.doubted.Load())
	t.Logf("each fault lasted %s; until all was well after its end:\n%s\n%s", lasts, recoveryHead, strings.Join(table, "\n"))
	for _, p := range s.programs {
		p.stop(t)
	}
}

// faulty is a whole system whose programs reach each other by wires.
type faulty struct {
	wires          []*wire
	programs       []*program
	api, projector string // their URLs
	crew           *crew
	readers        followers
}

func startFaulty(ctx context.Context, t *testing.T) *faulty {
	t.Helper()
	direct := startParts(t)
	s := &faulty{}
	behind := func(name string) parts {
		store, reached := wireToStore(t, name+" – store", direct.store)
		database, at := wireToDatabase(t, name+" – Postgres", direct.database)
		s.wires = append(s.wires, store, database)
		return parts{store: reached, database: at}
	}
	api, projector := (*program)(nil), (*program)(nil)
	projector, s.projector = behind("projector").program(t, "projector")
	api, s.api = behind("api").program(t, "api")
	s.programs = []*program{api, projector}
	untilReady(t, projector, s.projector)
	untilReady(t, api, s.api)
	s.crew = newCrew(t, s.api, crewSize)
	s.readers = follow(ctx, t, s.api, s.crew.users())
	return s
}

func wireToStore(t *testing.T, name, store string) (*wire, string) {
	t.Helper()
	address, settings, _ := strings.Cut(strings.TrimPrefix(store, "esdb://"), "?")
	w := startWire(t, name, address)
	return w, "esdb://" + w.address() + "?" + settings
}

// suffer goes through one fault, and returns the table's line.
func (s *faulty) suffer(ctx context.Context, t *testing.T, w *wire, f fault, lasts time.Duration) string {
	t.Helper()
	rest := s.crew.work(ctx, t)
	before := s.crew.done.Load()
	eventually(ctx, t, recoveryLimit, "the crew works", func() error {
		if s.crew.done.Load() < before+crewSize {
			return errors.New("not yet")
		}
		return nil
	})
	refused := s.crew.refused.Load() + s.crew.doubted.Load()
	stop := s.question(ctx, t)
	f.begin(w, ctx, t)
	<-time.After(lasts)
	f.end(w, ctx, t)
	well := s.recover(ctx, t)
	slowest, unanswered := stop()
	rest()
	s.crew.check(ctx, t, s.readers)
	return fmt.Sprintf("| %s | %s | %s | %d | %d | %s |", w.proxy.Name, f.name, well,
		s.crew.refused.Load()+s.crew.doubted.Load()-refused, unanswered, slowest.Round(10*time.Millisecond))
}

const recoveryHead = `| connection | fault | commands in < 1 s | readers level | inboxes level, no lag | commands refused or in doubt | questions refused | slowest question |
|---|---|---|---|---|---|---|---|`

// question asks for somebody's counts again and again, and holds each answer to coming in time; stop says how long the
// slowest took, and how many were refused.
func (s *faulty) question(ctx context.Context, t *testing.T) (stop func() (slowest time.Duration, refused int)) {
	t.Helper()
	enough := make(chan struct{})
	var asking sync.WaitGroup
	var slowest time.Duration
	var refused int
	asking.Go(func() {
		again := time.NewTicker(100 * time.Millisecond)
		defer again.Stop()
		for {
			select {
			case <-enough:
				return
			case <-again.C:
			}
			a, err := send(ctx, http.MethodGet, s.api+"/v1/users/crew-0/inbox/counts", "")
			slowest = max(slowest, a.took)
			switch {
			case err != nil:
				t.Errorf("ask for counts: %v", err)
				return
			case a.is503("database_unavailable"):
				refused++
			case a.status != http.StatusOK:
				t.Errorf("ask for counts: got %d %s, want them, or to be told that the database is away", a.status, a.text)
			}
			if a.took > questionDeadline {
				t.Errorf("ask for counts: got %d after %s, want it within %s", a.status, a.took, questionDeadline)
			}
		}
	})
	stop = func() (time.Duration, int) { close(enough); asking.Wait(); return slowest, refused }
	return stop
}

// wellness is how long it took after a fault until all was well.
type wellness struct{ commands, readers, inboxes time.Duration }

func (w wellness) String() string {
	return fmt.Sprintf("%.1f s | %.1f s | %.1f s", w.commands.Seconds(), w.readers.Seconds(), w.inboxes.Seconds())
}

// recover waits until commands are done quickly, readers have what was published after the fault, and inboxes too.
func (s *faulty) recover(ctx context.Context, t *testing.T) (w wellness) {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, recoveryLimit, fmt.Errorf("not well %s after the fault", recoveryLimit))
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		err := repeatedly(ctx, func() error {
			a, err := send(ctx, http.MethodPut, s.api+"/v1/users/guest/subscriptions/quiet", "")
			if err == nil && (a.status >= http.StatusMultipleChoices || a.took > quickly) {
				err = fmt.Errorf("a command: got %d after %s: %s", a.status, a.took, a.text)
			}
			return err
		})
		w.commands = time.Since(began)
		return err
	})
	beacon, err := s.beacon(ctx)
	if err != nil {
		t.Fatalf("publish after the fault: %v", err)
	}
	group.Go(func() error {
		for _, r := range s.readers {
			if err := r.Received(ctx, beacon.ID); err != nil {
				return err
			}
		}
		w.readers = time.Since(began)
		return nil
	})
	group.Go(func() error {
		err := repeatedly(ctx, func() error {
			a, err := send(ctx, http.MethodGet, s.api+"/v1/users/crew-0/inbox?limit=1&wait_for="+beacon.Position, "")
			if err == nil && (a.status != http.StatusOK || a.took > quickly) {
				err = fmt.Errorf("an inbox: got %d after %s: %s", a.status, a.took, a.text)
			}
			if err == nil {
				err = projecting(ctx, s.projector)
			}
			return err
		})
		w.inboxes = time.Since(began)
		return err
	})
	if err := group.Wait(); err != nil {
		t.Fatalf("not well after %s: %v", time.Since(began).Round(time.Millisecond), err)
	}
	return w
}

// beacon is a publish to everybody, by the first of the crew's hand.
func (s *faulty) beacon(ctx context.Context) (published, error) {
	to := make([]string, len(s.crew.members))
	for i, m := range s.crew.members {
		to[i] = `"user:` + m.user + `"`
	}
	key := fmt.Sprintf("beacon-%d", len(s.crew.beacons))
	a, err := s.crew.insist(ctx, http.MethodPost, "/v1/notifications",
		`{"to":[`+strings.Join(to, ",")+`],"title":"`+key+`"}`, "Idempotency-Key", key)
	if err == nil {
		s.crew.beacons = append(s.crew.beacons, a.published)
	}
	return a.published, err
}

// repeatedly asks until the answer is nil, or ctx ends: then the error says why.
func repeatedly(ctx context.Context, ask func() error) error {
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}
