package eventlog_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// TestAPowerCutBeforeEveryWrite lives a short life, from making the directory to opening it for the third time, and cuts the power before
// everything that is done to a file. Of what is not synced any part may be lost, names of files too.
func TestAPowerCutBeforeEveryWrite(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 6))
	below := vfs.NewCrashableMem()
	disk := newFaultyDisk(below)
	g := newLedger()
	type cut struct {
		op       diskOp
		left     *vfs.MemFS
		answered []acknowledged
	}
	var mu sync.Mutex
	var cuts []cut
	disk.fail(func(op diskOp) error {
		mu.Lock()
		defer mu.Unlock()
		for _, percent := range []int{0, 50, 90} {
			answered := g.snapshot()
			cuts = append(cuts, cut{op, below.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: random}), answered})
		}
		return nil
	})
	r := &faultRun{}
	words := rand.New(rand.NewPCG(seed, 7))
	for life := range 3 {
		l, err := eventlog.Open("store", eventlog.Options{FS: disk})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 12 {
			if err := r.append(t.Context(), l, g, fmt.Sprint("s", i%3), words); err != nil {
				t.Fatal(err)
			}
			if i == 3 || i == 6 && life == 1 {
				if err := l.Rotate(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	disk.heal()
	every := 1
	if raceDetector || testing.Short() {
		every = 5
	}
	for i := random.IntN(every); i < len(cuts); i += every {
		c := cuts[i]
		if err := r.audit(g, c.left, c.answered); err != nil {
			t.Errorf("seed %d, cut %d of %d, before %s of %s, with %d appends acknowledged: %v", seed, i, len(cuts), c.op.verb, c.op.kind, len(c.answered), err)
		}
	}
	t.Logf("%d power cuts", len(cuts)/every)
}
