package eventlog_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// TestOtherFilesDamaged removes, cuts and flips every file but the newest write-ahead log. Damage is reported, or does no harm; it is
// never served, nor passed over.
func TestOtherFilesDamaged(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	h := newHistory(t, seed, 60, 10)
	random := rand.New(rand.NewPCG(seed, 5))
	most := 60 // places in a file
	switch {
	case *soak:
		most = 5000
	case raceDetector, testing.Short():
		most = 8
	}
	for _, name := range slices.Sorted(maps.Keys(h.directory)) {
		if name == h.newest || name == "LOCK" {
			continue
		}
		places := random.Perm(len(h.directory[name]))
		places = places[:min(most, len(places))]
		bits := random.Uint32()
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content := h.directory[name]
			removed := maps.Clone(h.directory)
			delete(removed, name)
			counts := map[string]int{}
			h.openOther(t, "removed", removed, counts)
			for i, at := range places {
				flipped := bytes.Clone(content)
				flipped[at] ^= 1 << ((bits + uint32(i)) % 8)
				h.openOther(t, fmt.Sprintf("flipped at %d of %d", at, len(content)), h.directory.with(name, flipped), counts)
				h.openOther(t, fmt.Sprintf("cut at %d of %d", at, len(content)), h.directory.with(name, content[:at]), counts)
			}
			t.Log(counts)
		})
	}
}

// openOther opens a damaged directory and holds it to what was acknowledged, or to an error.
func (h *history) openOther(t *testing.T, what string, damaged directory, counts map[string]int) {
	t.Helper()
	checked, err := eventlog.VerifyDirectory(t.Context(), "store", eventlog.VerifyOptions{FS: damaged.disk(t)})
	reported := err != nil || !checked.Whole() || checked.Unmarked
	disk := damaged.disk(t)
	l, err := eventlog.Open("store", eventlog.Options{FS: disk})
	if err != nil {
		counts["refused"]++
		if !errors.Is(err, eventlog.ErrCorrupt) {
			t.Errorf("%s: %v, want it to be ErrCorrupt", what, err)
		}
		if changed := directoryOf(t, disk).differences(damaged); changed != "" {
			t.Errorf("%s: it was refused (%v), and changed: %s", what, err, changed)
		}
		if !reported {
			t.Errorf("%s: %v, and Verify finds nothing", what, err)
		}
		return
	}
	err = h.holds(l, len(h.answered))
	switch {
	case err == nil:
		counts["harmless"]++
	case errors.Is(err, eventlog.ErrCorrupt) || pebble.IsCorruptionError(err):
		counts["found when read"]++
		if !reported {
			t.Errorf("%s: %v, and Verify finds nothing", what, err)
		}
	default:
		t.Errorf("%s: opened, and %v", what, err)
	}
	_ = l.Close() // it may complain
}

// TestAcceptingALossIsNotBeginningAnew: a directory whose files no marker names any more is not taken for an empty one.
func TestAcceptingALossIsNotBeginningAnew(t *testing.T) {
	t.Parallel()
	h := newHistory(t, 1, 5, 5)
	damaged := maps.Clone(h.directory)
	for name := range damaged {
		if kindOf(name) == "marker" {
			delete(damaged, name)
		}
	}
	for _, accept := range []bool{false, true} {
		disk := damaged.disk(t)
		if _, err := eventlog.Open("store", eventlog.Options{FS: disk, AcceptLoss: accept}); !errors.Is(err, eventlog.ErrCorrupt) {
			t.Errorf("opened, accepting a loss %v: %v, want ErrCorrupt", accept, err)
		}
		if changed := directoryOf(t, disk).differences(damaged); changed != "" {
			t.Errorf("it changed: %s", changed)
		}
	}
}
