package certificate

import (
	"io/fs"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// lookEvery is how often files are looked at again, at most: a change is in force a second later.
const lookEvery = time.Second

// Watched are files that may be replaced while they are in use. It may be used by several goroutines at once.
type Watched struct {
	paths []string
	since time.Time
	next  atomic.Int64 // when to look again, in nanoseconds after since

	mu   sync.Mutex
	seen []fs.FileInfo // nil: not there
}

// Watch takes the files as they are now: read them afterwards, or a change in between is missed.
func Watch(paths ...string) *Watched {
	w := &Watched{paths: paths, since: time.Now()}
	w.next.Store(int64(lookEvery))
	w.seen = w.look()
	return w
}

// Changed tells one caller that the files have changed since they were last looked at; the others go on with what they have.
func (w *Watched) Changed() bool {
	now := time.Since(w.since)
	if int64(now) < w.next.Load() || !w.mu.TryLock() {
		return false
	}
	defer w.mu.Unlock()
	w.next.Store(int64(now + lookEvery))
	seen := w.look()
	if slices.EqualFunc(seen, w.seen, sameFile) {
		return false
	}
	w.seen = seen
	return true
}

func (w *Watched) look() []fs.FileInfo {
	seen := make([]fs.FileInfo, len(w.paths))
	for i, path := range w.paths {
		seen[i], _ = os.Stat(path) // nil when it is not there: whoever reads it says why
	}
	return seen
}

// sameFile takes a file for unchanged that was not replaced and has its size and time of change.
func sameFile(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// ReadableByAll says whether everybody on this machine may read a file.
func ReadableByAll(path string) bool {
	const others = 0o004
	info, err := os.Stat(path)
	return err == nil && info.Mode().Perm()&others != 0
}
