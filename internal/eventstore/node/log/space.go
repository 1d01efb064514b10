package eventlog

import (
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// defaultMinFree leaves room to write out what is in memory and to merge files; on a small disk a tenth of it has to do, but not less
	// than the next start needs, which writes out all write-ahead logs.
	defaultMinFree   = 256 * mebibyte
	leastMinFree     = (memTables + 2) * memTableBytes
	minFreeShare     = 10
	lookAtSpaceEvery = 50 * time.Millisecond
	unlimited        = math.MaxInt64
	mebibyte         = 1 << 20
)

// space watches the free space of the log's disk. When too little is left appends are refused before they are written; a write of the
// storage engine that finds the disk full all the same waits until there is room again, so that nothing has to be given up.
type space struct {
	fs  vfs.FS
	dir string
	// waits: the log is open, and so a write may wait. Before, it must fail.
	waits    atomic.Bool
	stopping <-chan struct{}

	minFree atomic.Int64
	free    atomic.Int64
	full    atomic.Bool
	looked  atomic.Int64 // unix nanoseconds
}

func newSpace(fs vfs.FS, dir string, minFree int64, stopping <-chan struct{}) *space {
	s := &space{fs: fs, dir: dir, stopping: stopping}
	s.minFree.Store(minFree)
	s.free.Store(unlimited)
	return s
}

// check is an error while appends have no room. It looks at the disk now and then.
func (s *space) check() error {
	now, looked := time.Now().UnixNano(), s.looked.Load()
	if now-looked > int64(lookAtSpaceEvery) && s.looked.CompareAndSwap(looked, now) {
		s.look()
	}
	if !s.full.Load() {
		return nil
	}
	return fmt.Errorf("%w: %d MiB are free, %d must stay free: make room, and appends are taken again",
		ErrFull, s.free.Load()/mebibyte, s.minFree.Load()/mebibyte)
}

func (s *space) look() {
	usage, err := s.fs.GetDiskUsage(s.dir)
	if err != nil {
		return // a file system that cannot tell is full when a write says so
	}
	if s.minFree.Load() == 0 {
		s.minFree.Store(min(defaultMinFree, max(leastMinFree, clamp(usage.TotalBytes/minFreeShare))))
	}
	free := clamp(usage.AvailBytes)
	s.free.Store(free)
	s.full.Store(free < s.minFree.Load())
}

func clamp(n uint64) int64 { return int64(min(n, unlimited)) }

// wait is called when a write found the disk full; the write is tried once more when it returns.
func (s *space) wait() {
	if !s.waits.Load() {
		return
	}
	s.full.Store(true)
	every := time.NewTicker(lookAtSpaceEvery)
	defer every.Stop()
	for s.full.Load() {
		select {
		case <-s.stopping:
			return
		case <-every.C:
			s.look()
		}
	}
}

// Full is an error while the disk has no room for appends; see ErrFull.
func (l *Log) Full() error { return l.space.check() }

// FreeBytes is the free space of the log's disk as last seen; false where the file system cannot tell.
func (l *Log) FreeBytes() (int64, bool) {
	_ = l.space.check() // looks, if it is time
	free := l.space.free.Load()
	return free, free != unlimited
}

// ReserveBytes is how much of the disk must stay free for appends to be taken.
func (l *Log) ReserveBytes() int64 {
	_ = l.space.check() // looks, if it is time: a default depends on the disk
	return l.space.minFree.Load()
}
