package soak

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

const (
	// crewSize is how many users work, and read along.
	crewSize = 6
	// quickly is how long a command takes when all is well.
	quickly = time.Second
	// faultFor is how long a fault lasts, and faultForLong with -soak: longer than any deadline, so that every one is met.
	faultFor     = 2500 * time.Millisecond
	faultForLong = 25 * time.Second
)

// fault is a way in which a wire can be bad.
type fault struct {
	name       string
	begin, end func(*wire, context.Context, *testing.T)
	alerts     bool // somebody must be told
}

var faults = []fault{
	{"slow, 300 ms ± 200 each way", (*wire).delay, (*wire).hurry, false},
	{"cut", (*wire).cut, (*wire).mend, true},
	{"half-open", (*wire).silence, (*wire).hear, true},
	{"a slow drip, 3 kB/s", (*wire).drip, (*wire).flow, false},
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
	t.Logf("until all was well after the fault's end:\n%s\n%s", recoveryHead, strings.Join(table, "\n"))
	for _, p := range s.programs {
		p.stop(t)
	}
}

// faulty is a whole system whose programs reach each other by wires.
type faulty struct {
	whole          *testing.T // not one fault's
	wires          []*alarmed
	watch          *prometheus // nil: there is none on this machine
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
	behind := func(name string, alerts ...string) (p *program, url string) {
		store, reached := wireToStore(t, name+"–store", direct.store)
		database, at := wireToDatabase(t, name+"–Postgres", direct.database)
		p, url = parts{store: reached, database: at}.program(t, name)
		s.programs = append(s.programs, p)
		instance := strings.TrimPrefix(url, "http://")
		s.wires = append(s.wires,
			&alarmed{store, []alarm{{"TidingsStoreAway", instance}}},
			&alarmed{database, []alarm{{"TidingsPostgresAway", instance}}})
		for _, alert := range alerts { // no process's own
			last := s.wires[len(s.wires)-1]
			last.alarms = append(last.alarms, alarm{alert, ""})
		}
		return p, url
	}
	projector, address := behind("projector", "TidingsNobodyProjects")
	s.projector = address
	api, address := behind("api")
	s.api = address
	untilReady(t, projector, s.projector)
	untilReady(t, api, s.api)
	s.crew = newCrew(t, s.api, crewSize)
	s.watch = watchFor(t, s.api, s.projector)
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
func (s *faulty) suffer(ctx context.Context, t *testing.T, w *alarmed, f fault, lasts time.Duration) string {
	t.Helper()
	s.silent(ctx, t, w)
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
	began := time.Now()
	f.begin(w.wire, ctx, t)
	<-time.After(lasts / 2)
	s.wander(ctx, s.whole)
	<-time.After(lasts / 2)
	told := "–"
	if f.alerts {
		told = s.alarm(ctx, t, w, began)
	}
	lasted := time.Since(began)
	f.end(w.wire, ctx, t)
	well := s.recover(ctx, t)
	slowest, unanswered := stop()
	rest()
	s.crew.check(ctx, t, s.readers)
	s.silent(ctx, t, w)
	return fmt.Sprintf("| %s | %s, %.1f s | %s | %d, %.1f s | %d, %.1f s | %s |", w.proxy.Name, f.name, lasted.Seconds(), well,
		s.crew.refused.Load()+s.crew.doubted.Load()-refused, time.Duration(s.crew.slowest.Load()).Seconds(), unanswered, slowest.Seconds(), told)
}

const recoveryHead = `| connection | fault | commands | streams | inboxes | commands refused, slowest | questions refused, slowest | alerts, after |
|---|---|---|---|---|---|---|---|`
