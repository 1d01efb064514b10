package replay

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestAnInstanceEndsAsTheOneThatIsReplayedIntoIt: whatever happened, however requests and answers are lost, wherever the
// replay is killed, and whatever that leaves of its checkpoint.
func TestAnInstanceEndsAsTheOneThatIsReplayedIntoIt(t *testing.T) {
	t.Parallel()
	for range 12 {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { replayAtRandom(t, seed) })
		})
	}
}

func replayAtRandom(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 0))
	here, there := newInstance(t, random), newInstance(t, random)
	(&history{t: t, random: random, on: here}).run(20 + random.IntN(200))
	here.trouble, there.trouble = random.Float64()/4, random.Float64()/4
	path := filepath.Join(t.TempDir(), "checkpoint")
	file := random.IntN(3) == 0 // through a file, on some days
	var source Source = (&Log{Server: here.server()}).Read
	if file {
		name := filepath.Join(t.TempDir(), "log")
		x := Export{Source: source}
		if _, err := x.ToFile(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		source = (&File{Path: name}).Read
	}
	concurrency, window := 1+random.IntN(10), 1+random.IntN(100)
	for kills := random.IntN(4); ; kills-- {
		err := playOnce(t, source, there, path, concurrency, window, kills > 0, random)
		if err == nil {
			break
		}
		if !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		tear(t, path, random)
	}
	now := time.Now()
	want, got := showOf(here.log(t), now), showOf(there.log(t), now)
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("there (-), here (+):\n%s\nhere:\n%s\nthere:\n%s", diff, types(here.log(t)), types(there.log(t)))
	}
}

var errKilled = errors.New("killed")

// playOnce plays until it is done, or killed at a random request.
func playOnce(t *testing.T, source Source, there *instance, path string, concurrency, window int, kill bool, random *rand.Rand) error {
	t.Helper()
	ctx, stop := context.WithCancelCause(t.Context())
	defer stop(nil)
	there.mu.Lock()
	there.seen = func(int) {}
	if kill {
		last := there.requests + 1 + random.IntN(150)
		there.seen = func(n int) {
			if n == last {
				stop(errKilled)
			}
		}
	}
	there.mu.Unlock()
	checkpoint, err := OpenCheckpoint(path, Pair{Source: "here", Target: "there"})
	if err != nil {
		t.Fatal(err)
	}
	play := Play{Source: source, Target: there.server(), Checkpoint: checkpoint, Concurrency: concurrency, Window: window}
	report, err := play.Run(ctx)
	if closed := checkpoint.Close(); closed != nil {
		t.Error(closed)
	}
	if report.Refused > 0 {
		t.Errorf("got refusals %q, want none", report.Refusals)
	}
	return err
}

// tear leaves of a checkpoint what a kill, or on some days a power cut, may leave.
func tear(t *testing.T, path string, random *rand.Rand) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	keep := info.Size()
	switch random.IntN(4) {
	case 0:
		keep = random.Int64N(keep + 1)
	case 1:
		keep = max(0, keep-random.Int64N(20))
	}
	if err := os.Truncate(path, keep); err != nil {
		t.Fatal(err)
	}
}
