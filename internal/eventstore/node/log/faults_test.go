package eventlog_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

var (
	soak      = flag.Bool("soak", false, "run everything: several minutes")
	faultSeed = flag.Uint64("fault-seed", 0, "run TestFaultsBelowTheLog with this seed alone")
)

// TestFaultsBelowTheLog has a disk fail at random, under writers, and cuts the power. Whatever happens: nothing acknowledged is
// missing, reading goes on, and every call ends.
func TestFaultsBelowTheLog(t *testing.T) {
	t.Parallel()
	if *faultSeed != 0 {
		run := newFaultRun(*faultSeed)
		t.Log(run)
		run.run(t)
		return
	}
	runs := 400
	switch {
	case *soak:
		runs = 10_000
	case testing.Short():
		runs = 60
	case raceDetector:
		runs = 60
	}
	seeds := make(chan uint64)
	go func() {
		defer close(seeds)
		for range runs {
			seeds <- rand.Uint64()
		}
	}()
	var group sync.WaitGroup
	var failed, full atomic.Int64
	for range 4 { // some runs wait for the disk
		group.Go(func() {
			for seed := range seeds {
				r := newFaultRun(seed)
				r.run(t)
				if r.failed.Load() {
					failed.Add(1)
				}
				if r.full.Load() {
					full.Add(1)
				}
			}
		})
	}
	group.Wait()
	t.Logf("of %d logs %d failed, %d had a full disk", runs, failed.Load(), full.Load())
	if enough := int64(400); failed.Load() < int64(runs)/10 || int64(runs) >= enough && full.Load() == 0 { // a few runs may meet none that is full
		t.Error("too few of the faults were met")
	}
}

// faultRun is a plan of what goes wrong, drawn from a seed.
type faultRun struct {
	seed   uint64
	random *rand.Rand

	verb, kind string // "" is every one
	cause      error
	after      int // operations that match and succeed first
	times      int // how many fail then
	before     int // acknowledged appends before the disk is armed
	percent    int // of the unsynced data that survives the power cut
	opening    bool

	failed, full atomic.Bool // what the writers were told
}

func newFaultRun(seed uint64) *faultRun {
	random := rand.New(rand.NewPCG(seed, 2))
	pick := func(from []string) string {
		if random.IntN(3) == 0 {
			return ""
		}
		return from[random.IntN(len(from))]
	}
	r := &faultRun{
		seed: seed, random: random,
		verb: pick(diskVerbs), kind: pick(diskKinds),
		cause:   []error{errDisk, syscall.EIO, errShort, syscall.ENOSPC}[random.IntN(4)],
		after:   random.IntN(1 + random.IntN(40)),
		times:   []int{1, 1 + random.IntN(5), 1 << 30}[random.IntN(3)],
		before:  1 + random.IntN(100),
		percent: []int{0, random.IntN(101), 100}[random.IntN(3)],
		opening: random.IntN(4) == 0,
	}
	if errors.Is(r.cause, syscall.ENOSPC) {
		r.verb, r.kind = pick([]string{"write", "create"}), pick([]string{"log", "sst", "MANIFEST"})
	}
	return r
}

func (r *faultRun) String() string {
	verb, kind := r.verb, r.kind
	if verb == "" {
		verb = "anything"
	}
	if kind == "" {
		kind = "any file"
	}
	return fmt.Sprintf("-fault-seed %d: %s of %s fails %d times with %q after %d times, %d appends were made before, opening: %v",
		r.seed, verb, kind, r.times, r.cause, r.after, r.before, r.opening)
}

// eachRun is how long one run may take: by far more than it needs, so that only what hangs is found.
const eachRun = 5 * time.Minute

func (r *faultRun) run(t *testing.T) {
	ended := make(chan error, 1)
	go func() { ended <- r.do(t) }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("%s: %v", r, err)
		}
	case <-time.After(eachRun):
		stacks := make([]byte, 1<<20)
		panic(fmt.Sprintf("%s: it hangs\n%s", r, stacks[:runtime.Stack(stacks, true)]))
	}
}

func (r *faultRun) do(t *testing.T) error {
	below := vfs.NewCrashableMem()
	disk := newFaultyDisk(below)
	g := newLedger()
	l, err := eventlog.Open("store", eventlog.Options{FS: disk})
	if err != nil {
		return err
	}
	r.work(t.Context(), l, disk, g)
	answered := g.snapshot()
	crashed := []*vfs.MemFS{r.cut(below)}
	if err := r.read(l, answered); err != nil {
		return err
	}
	_ = l.Close() // it may complain; what counts is that it ends
	crashed = append(crashed, r.cut(below))
	disk.heal()
	for i, after := range crashed {
		if r.opening {
			r.openUnderFaults(after)
			after = r.cut(after)
		}
		if err := r.audit(g, after, answered); err != nil {
			return fmt.Errorf("power cut %d: %w", i, err)
		}
	}
	return nil
}

func (r *faultRun) cut(disk *vfs.MemFS) *vfs.MemFS {
	return disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: r.percent, RNG: r.random})
}

// arm has the disk fail as planned.
func (r *faultRun) arm(disk *faultyDisk) {
	var seen atomic.Int64
	full := errors.Is(r.cause, syscall.ENOSPC)
	disk.fail(func(op diskOp) error {
		if r.verb != "" && r.verb != op.verb || r.kind != "" && r.kind != op.kind {
			return nil
		}
		if full && op.verb != "write" && op.verb != "create" && op.verb != "rename" && op.verb != "link" {
			return nil
		}
		n := seen.Add(1)
		if n <= int64(r.after) || n > int64(r.after)+int64(r.times) {
			disk.full.Store(false)
			return nil
		}
		disk.full.Store(full)
		return r.cause
	})
}

// work has writers append, on a disk that fails after a while, until they are done or refused.
func (r *faultRun) work(ctx context.Context, l *eventlog.Log, disk *faultyDisk, g *ledger) {
	const (
		writers = 4
		each    = 40
	)
	var acknowledged atomic.Int64
	var armed sync.Once
	var group sync.WaitGroup
	for w := range writers {
		random := rand.New(rand.NewPCG(r.seed, uint64(10+w)))
		group.Go(func() {
			for range each {
				err := r.append(ctx, l, g, fmt.Sprint("w", w), random)
				if failed := (*eventlog.Failed)(nil); errors.As(err, &failed) {
					r.failed.Store(true)
					return
				}
				n := acknowledged.Add(1)
				if n >= int64(r.before) {
					armed.Do(func() { r.arm(disk) })
				}
				if errors.Is(err, eventlog.ErrFull) {
					r.full.Store(true)
					runtime.Gosched()
				}
				if n%15 == 0 {
					_ = l.Rotate() // it may fail: that is what is tested
				}
			}
		})
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		group.Wait()
	}()
	if !errors.Is(r.cause, syscall.ENOSPC) {
		<-done
		return
	}
	room := time.NewTicker(100 * time.Millisecond)
	defer room.Stop()
	for {
		select { // somebody makes room now and then
		case <-done:
			return
		case <-room.C:
			if disk.full.Load() {
				disk.heal()
				disk.full.Store(false)
			}
		}
	}
}

func (r *faultRun) append(ctx context.Context, l *eventlog.Log, g *ledger, stream string, random *rand.Rand) error {
	events := make([]eventlog.Event, 1+random.IntN(4))
	a := acknowledged{stream: stream}
	for i := range events {
		events[i] = sized(random, random.IntN([]int{10, 400, 4000}[random.IntN(3)]))
		a.ids = append(a.ids, events[i].ID)
	}
	g.propose(a.ids)
	done, err := l.Append(ctx, stream, eventlog.Any, events...)
	if err == nil {
		a.position = done.Position
		g.answer(a)
	}
	return err
}

// read finds everything acknowledged in the log that has failed.
func (r *faultRun) read(l *eventlog.Log, answered []acknowledged) error {
	log, err := everything(l)
	if err != nil {
		return fmt.Errorf("read after the fault: %w", err)
	}
	return errors.Join(auditAnswers(log, answered), auditBytes(log))
}

// openUnderFaults opens the log while the disk fails. It may succeed or not.
func (r *faultRun) openUnderFaults(below *vfs.MemFS) {
	disk := newFaultyDisk(below)
	r.arm(disk)
	if l, err := eventlog.Open("store", eventlog.Options{FS: disk}); err == nil {
		_ = l.Close()
	}
}

func (r *faultRun) audit(g *ledger, disk *vfs.MemFS, answered []acknowledged) error {
	l, err := eventlog.Open("store", eventlog.Options{FS: disk})
	if err != nil && strings.Contains(err.Error(), "ACKNOWLEDGED is damaged") && errors.Is(r.cause, errShort) {
		l, err = eventlog.Open("store", eventlog.Options{FS: disk, AcceptLoss: true})
	}
	if err != nil {
		return err
	}
	return errors.Join(g.audit(l, answered), l.Close())
}
