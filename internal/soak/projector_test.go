package soak

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestProjectorKilled has two projectors, started at once, fold what busy clients do, kills them at random, and has
// Postgres restarted under them, cleanly and not. Then the tables must hold the very rows that a projector makes of the
// same log in peace.
func TestProjectorKilled(t *testing.T) { // not parallel: it starts a whole system
	if testing.Short() {
		t.Skip("starts a whole system")
	}
	kills := 6
	if *long {
		kills = 40
	}
	binary(t, "tidings") // compiling is not part of what has a deadline
	ctx, cancel := context.WithTimeoutCause(t.Context(), 6*time.Minute, errors.New("the test took too long"))
	defer cancel()
	s := &system{data: t.TempDir(), storeListen: freeAddress(t)}
	s.startNode(t)
	s.startPostgres(t)
	projectors := make([]*program, 2)
	for i := range projectors {
		projectors[i], s.projectorURL = s.program(t, "projector", "--fanout-store-limit", "10")
	}
	s.api, s.url = s.program(t, "api")
	untilReady(t, s.api, s.url)

	work := startTraffic(ctx, t, s.url)
	chance := rand.New(rand.NewPCG(work.seed, 99))
	for n := range kills {
		between(ctx, 200*time.Millisecond, 1500*time.Millisecond, chance.Int64N)
		switch {
		case n == kills/3:
			signalPostmaster(t, filepath.Join(s.data, "postgres"), syscall.SIGQUIT) // what pg_ctl calls -m immediate
		case n == 2*kills/3:
			s.postgres.stop(t)
			s.startPostgres(t)
		default:
			i := chance.IntN(len(projectors))
			projectors[i].kill()
			projectors[i], s.projectorURL = s.program(t, "projector", "--fanout-store-limit", "10")
		}
	}
	between(ctx, time.Second, 2*time.Second, chance.Int64N)
	work.end()
	last := publish(ctx, t, s.url, "topic:builds")
	t.Logf("%d commands were done, %d refused", work.done.Load(), work.refused.Load())
	got := rowsOf(ctx, t, s.database, last.Position)
	for _, p := range projectors {
		p.kill()
	}

	peace := s.parts
	peace.database = "postgres" + start(t, "tidings", "postgres", "--data", filepath.Join(s.data, "peace")).says(t, "postgres")
	peace.program(t, "projector", "--fanout-store-limit", "10")
	sameRows(t, got, rowsOf(ctx, t, peace.database, last.Position))
}
