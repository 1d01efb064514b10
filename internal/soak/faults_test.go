package soak

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
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
				passed := t.Run(w.proxy.Name+"/"+f.name, func(t *testing.T) {
					table = append(table, s.suffer(ctx, t, w, f, lasts))
				})
				if !passed { // what it left behind would be taken for the next one's fault
					t.Fatalf("so far:\n%s", strings.Join(table, "\n"))
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
	whole          *testing.T // not one fault's
	wires          []*wire
	programs       []*program
	api, projector string // their URLs
	crew           *crew
	readers        followers
	wanderers      []*wanderer // those of the readers who go and come back during each fault
}

// wanderer is a reader who can be told to connect again.
type wanderer struct {
	*Reader

	leave func()
}

// wander has half of the readers leave and come back, with the id they came to.
func (s *faulty) wander(ctx context.Context, t *testing.T) {
	t.Helper()
	for _, w := range s.wanderers {
		w.leave()
		w.leave = visit(ctx, t, w.Reader)
	}
}

func startFaulty(ctx context.Context, t *testing.T) *faulty {
	t.Helper()
	direct := startParts(t)
	s := &faulty{whole: t}
	behind := func(name string) parts {
		store, reached := wireToStore(t, name+"–store", direct.store)
		database, at := wireToDatabase(t, name+"–Postgres", direct.database)
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
	users := s.crew.users()
	s.readers = follow(ctx, t, s.api, users[:crewSize/2])
	for _, user := range users[crewSize/2:] {
		r := &Reader{URL: s.api, User: user, From: "earliest"}
		s.readers = append(s.readers, r)
		s.wanderers = append(s.wanderers, &wanderer{r, visit(ctx, t, r)})
	}
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
	s.crew.slowest.Store(0)
	stop := s.question(ctx, t)
	f.begin(w, ctx, t)
	<-time.After(lasts / 2)
	s.wander(ctx, s.whole)
	<-time.After(lasts / 2)
	f.end(w, ctx, t)
	well := s.recover(ctx, t)
	slowest, unanswered := stop()
	rest()
	s.crew.check(ctx, t, s.readers)
	return fmt.Sprintf("| %s | %s | %s | %d, %.1f s | %d, %.1f s |", w.proxy.Name, f.name, well,
		s.crew.refused.Load()+s.crew.doubted.Load()-refused, time.Duration(s.crew.slowest.Load()).Seconds(), unanswered, slowest.Seconds())
}

const recoveryHead = `| connection | fault | commands | streams | inboxes | commands refused, slowest | questions refused, slowest |
|---|---|---|---|---|---|---|`

// question asks for everybody's counts again and again, and holds each answer to coming in time; stop says how long the
// slowest took, and how many were refused.
func (s *faulty) question(ctx context.Context, t *testing.T) (stop func() (slowest time.Duration, refused int64)) {
	t.Helper()
	enough := make(chan struct{})
	var asking sync.WaitGroup
	var slowest, refused atomic.Int64
	for _, m := range s.crew.members {
		asking.Go(func() {
			for {
				took, told, err := s.counts(ctx, m.user)
				if err != nil {
					t.Error(err)
					return
				}
				atMost(&slowest, took)
				if told {
					refused.Add(1)
				}
				select {
				case <-enough:
					return
				case <-time.After(100 * time.Millisecond):
				}
			}
		})
	}
	return func() (time.Duration, int64) {
		close(enough)
		asking.Wait()
		return time.Duration(slowest.Load()), refused.Load()
	}
}

// counts asks for a user's, and says whether it was told that the database is away.
func (s *faulty) counts(ctx context.Context, user string) (took time.Duration, away bool, err error) {
	a, err := send(ctx, http.MethodGet, s.api+"/v1/users/"+user+"/inbox/counts", "")
	away = a.is503("database_unavailable")
	switch {
	case err != nil:
	case a.status != http.StatusOK && !away:
		err = fmt.Errorf("got %d %s, want them, or to be told that the database is away", a.status, a.text)
	case a.took > questionDeadline:
		err = fmt.Errorf("got %d after %s, want it within %s", a.status, a.took, questionDeadline)
	}
	if err != nil {
		err = fmt.Errorf("ask for the counts of %s: %w", user, err)
	}
	return a.took, away, err
}

// atMost raises what is the most so far.
func atMost(most *atomic.Int64, d time.Duration) {
	for so := most.Load(); int64(d) > so && !most.CompareAndSwap(so, int64(d)); so = most.Load() {
	}
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
