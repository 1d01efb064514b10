package eventlog_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// acknowledged is an append that was answered.
type acknowledged struct {
	stream   string
	position eventlog.Position // of its last event
	ids      []uuid.UUID
}

// ledger is what the writers of a crash test were told, kept outside the log.
type ledger struct {
	mu       sync.Mutex
	answered []acknowledged
	proposed map[uuid.UUID][]uuid.UUID // the ids of each append, answered or not, by its first
}

func newLedger() *ledger { return &ledger{proposed: map[uuid.UUID][]uuid.UUID{}} }

func (g *ledger) propose(ids []uuid.UUID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.proposed[ids[0]] = ids
}

func (g *ledger) answer(a acknowledged) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answered = append(g.answered, a)
}

func (g *ledger) snapshot() []acknowledged {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]acknowledged(nil), g.answered...)
}

// audit compares a log that was opened after a crash with what its writers had been told before it.
func (g *ledger) audit(l *eventlog.Log, answered []acknowledged) error {
	log, err := everything(l)
	if err != nil {
		return err
	}
	return errors.Join(auditAnswers(log, answered), auditBytes(log), g.auditWhole(log), auditStreams(l, log))
}

// auditAnswers looks for what was acknowledged.
func auditAnswers(log []*eventlog.Record, answered []acknowledged) error {
	at := make(map[eventlog.Position]*eventlog.Record, len(log))
	for i, r := range log {
		if i > 0 && r.Position <= log[i-1].Position {
			return fmt.Errorf("position %d follows %d", r.Position, log[i-1].Position)
		}
		at[r.Position] = r
	}
	for _, a := range answered {
		first := a.position - eventlog.Position(len(a.ids)) + 1
		for i, id := range a.ids {
			p := first + eventlog.Position(i)
			switch r := at[p]; {
			case r == nil:
				return fmt.Errorf("position %d was acknowledged and is missing, of %d events", p, len(log))
			case r.ID != id || r.Stream != a.stream:
				return fmt.Errorf("position %d was acknowledged as another event", p)
			}
		}
	}
	return nil
}

// auditWhole looks for appends of which a part is missing.
func (g *ledger) auditWhole(log []*eventlog.Record) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := 0; i < len(log); {
		ids, known := g.proposed[log[i].ID]
		if !known || i+len(ids) > len(log) {
			return fmt.Errorf("position %d belongs to an append of which a part is missing", log[i].Position)
		}
		for n, id := range ids {
			if r := log[i+n]; r.ID != id || r.Position != log[i].Position+eventlog.Position(n) {
				return fmt.Errorf("position %d parts the append at %d", r.Position, log[i].Position)
			}
		}
		i += len(ids)
	}
	return nil
}

// auditStreams compares the index of each stream with the log.
func auditStreams(l *eventlog.Log, log []*eventlog.Record) error {
	own := map[string][]*eventlog.Record{}
	for _, r := range log {
		if int(r.Revision) != len(own[r.Stream]) {
			return fmt.Errorf("revision %d of %s where %d belongs", r.Revision, r.Stream, len(own[r.Stream]))
		}
		own[r.Stream] = append(own[r.Stream], r)
	}
	for name, want := range own {
		s, err := l.Stream(name)
		if err != nil {
			return err
		}
		got, err := s.Forward(0, eventlog.Limit{Events: len(log), Bytes: 1 << 30})
		if err != nil {
			return err
		}
		if describe(got) != describe(want) {
			return fmt.Errorf("stream %s has %s, the log has %s", name, describe(got), describe(want))
		}
		last := want[len(want)-1]
		done, err := l.Append(context.Background(), name, eventlog.Any, last.Event)
		if err != nil || done.Position != last.Position {
			return fmt.Errorf("the last event of %s again: %+v, %w, want it known at %d", name, done, err, last.Position)
		}
	}
	return nil
}

func everything(l *eventlog.Log) ([]*eventlog.Record, error) {
	var all []*eventlog.Record
	for next := eventlog.Position(1); ; next = all[len(all)-1].Position + 1 {
		page, err := l.Forward(next, eventlog.Limit{})
		if err != nil || len(page) == 0 {
			return all, err
		}
		all = append(all, page...)
	}
}

// crash has writers append, cuts the power a few times at random moments, and audits what each cut left. It returns the first
// complaint.
func crash(t *testing.T, noSync bool, seed uint64) error {
	t.Helper()
	const (
		writers = 8
		cuts    = 6
		between = 60 // acknowledged appends
	)
	random := rand.New(rand.NewPCG(seed, 0))
	fs := vfs.NewCrashableMem()
	g := newLedger()
	for round := range 3 {
		l, err := eventlog.Open("store", eventlog.Options{FS: fs, NoSync: noSync})
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		progress := make(chan struct{})
		for w := range writers {
			seed := random.Uint64()
			group.Go(func() { write(ctx, l, g, fmt.Sprintf("w%d", w), seed, progress) })
		}
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			group.Wait()
		}()
		var crashed *vfs.MemFS
		var complaint error
		for cut := 0; cut < cuts && complaint == nil; cut++ {
			if !passes(progress, stopped, 1+random.IntN(between)) {
				complaint = errors.New("the writers stopped")
				break
			}
			answered := g.snapshot()
			crashed = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: random.IntN(2) * random.IntN(101), RNG: random})
			if err := openAndAudit(g, crashed, noSync, answered); err != nil {
				complaint = fmt.Errorf("round %d: %w", round, err)
			}
		}
		cancel()
		passes(progress, stopped, math.MaxInt)
		if err := errors.Join(complaint, l.Close()); err != nil {
			return err
		}
		// The next round goes on with what the last cut left; what was answered after it is forgotten with it.
		fs = crashed
		g.forget(t, fs, noSync)
	}
	return nil
}

// passes waits for n acknowledgements; false: the writers stopped before.
func passes(progress, stopped <-chan struct{}, n int) bool {
	for range n {
		select {
		case <-progress:
		case <-stopped:
			return false
		}
	}
	return true
}

func openAndAudit(g *ledger, crashed *vfs.MemFS, noSync bool, answered []acknowledged) error {
	// On a clone of its own, because opening writes.
	l, err := eventlog.Open("store", eventlog.Options{FS: crashed.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(0, 0))}), NoSync: noSync})
	if err != nil {
		return err
	}
	return errors.Join(g.audit(l, answered), l.Close())
}

// forget keeps of the answers those that the crashed disk is known to have.
func (g *ledger) forget(t *testing.T, crashed *vfs.MemFS, noSync bool) {
	t.Helper()
	l, err := eventlog.Open("store", eventlog.Options{FS: crashed, NoSync: noSync})
	if err != nil {
		t.Fatal(err)
	}
	head := l.Head()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	kept := g.answered[:0]
	for _, a := range g.answered {
		if a.position <= head {
			kept = append(kept, a)
		}
	}
	g.answered = kept
}

// write appends one to five events at a time until ctx is done.
func write(ctx context.Context, l *eventlog.Log, g *ledger, stream string, seed uint64, progress chan<- struct{}) {
	random := rand.New(rand.NewPCG(seed, 1))
	for ctx.Err() == nil {
		events := make([]eventlog.Event, 1+random.IntN(5))
		ids := make([]uuid.UUID, len(events))
		for i := range events {
			events[i] = sized(random, random.IntN(3000))
			ids[i] = events[i].ID
		}
		g.propose(ids)
		done, err := l.Append(ctx, stream, eventlog.Any, events...)
		if err != nil {
			return
		}
		g.answer(acknowledged{stream: stream, position: done.Position, ids: ids})
		progress <- struct{}{}
	}
}

// sized is an event whose data follows from its id and its type, so that other bytes are noticed.
func sized(random *rand.Rand, n int) eventlog.Event {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:], random.Uint64())
	binary.BigEndian.PutUint64(id[8:], random.Uint64())
	return eventlog.Event{ID: id, Type: strconv.Itoa(n), Data: payload(id, n)}
}

func payload(id uuid.UUID, n int) []byte {
	var seed [32]byte
	copy(seed[:], id[:])
	data := make([]byte, n)
	_, _ = rand.NewChaCha8(seed).Read(data) // it never fails
	return data
}

// auditBytes looks for events that are not what was written.
func auditBytes(log []*eventlog.Record) error {
	for _, r := range log {
		n, err := strconv.Atoi(r.Type)
		if err != nil || !bytes.Equal(r.Data, payload(r.ID, n)) {
			return fmt.Errorf("position %d, of type %s, has other bytes than were written", r.Position, r.Type)
		}
	}
	return nil
}

func TestNothingAcknowledgedIsLostInACrash(t *testing.T) {
	t.Parallel()
	runs := 4
	if raceDetector {
		runs = 1
	}
	for range runs {
		seed := rand.Uint64()
		if err := crash(t, false, seed); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

// TestTheCrashTestNoticesLoss runs the same test without syncs: it must complain, or it proves nothing.
func TestTheCrashTestNoticesLoss(t *testing.T) {
	t.Parallel()
	if err := crash(t, true, 1); err == nil {
		t.Error("without syncs, and nothing was missed")
	}
}
