package esdb_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/esdb"
	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// smallDisk says how much of it is free.
type smallDisk struct {
	vfs.FS

	free atomic.Uint64
}

func (d *smallDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	const total = 100 << 30
	return vfs.DiskUsage{AvailBytes: d.free.Load(), TotalBytes: total, UsedBytes: total - d.free.Load()}, nil
}

// TestTheDiskOfTheStoreIsFull: appends say so at once and for certain, on the same connection; reads go on; appends are taken again once
// there is room.
func TestTheDiskOfTheStoreIsFull(t *testing.T) {
	t.Parallel()
	disk := &smallDisk{FS: vfs.NewMem()}
	disk.free.Store(50 << 30)
	log, err := eventlog.Open("store", eventlog.Options{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, log: log, address: "127.0.0.1:0"}
	s.start()
	t.Cleanup(func() {
		s.stop()
		if err := log.Close(); err != nil {
			t.Errorf("close the log: %v", err)
		}
	})
	registry := prometheus.NewPedanticRegistry()
	store := open(t, s.url(), esdb.Options{Registerer: registry})
	if _, err := store.Append(t.Context(), "s-1", events.NoStream(), proposed(1)); err != nil {
		t.Fatal(err)
	}
	disk.free.Store(1 << 20)
	refused := 0
	for n, deadline := 2, time.Now().Add(longest); refused < 3; n++ { // the log looks at its disk now and then
		began := time.Now()
		_, err := store.Append(t.Context(), "s-1", events.Any(), proposed(n))
		switch {
		case err == nil:
		case !errors.Is(err, events.ErrStoreUnavailable) || errors.Is(err, events.ErrOutcomeUnknown) || !strings.Contains(err.Error(), "full"):
			t.Fatalf("got %v, want %v that says why", err, events.ErrStoreUnavailable)
		case time.Since(began) > slack:
			t.Errorf("refused after %s, want at once", time.Since(began))
		default:
			refused++
		}
		if time.Now().After(deadline) {
			t.Fatal("appends are still taken")
		}
	}
	n := 0
	for _, err := range store.Read(t.Context(), "s-1", 0) {
		if n++; err != nil {
			t.Errorf("reading while the disk is full: %v", err)
		}
	}
	if n == 0 {
		t.Error("reading while the disk is full: nothing is there")
	}
	disk.free.Store(50 << 30)
	for deadline := time.Now().Add(longest); ; {
		if _, err := store.Append(t.Context(), "s-2", events.NoStream(), proposed(1)); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("appends are not taken again")
		}
	}
	if got := metric(t, registry, "tidings_store_reconnects_total"); got != 0 {
		t.Errorf("%v new connections, want none", got)
	}
}
