package eventlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Stats says what is in a log, and what it takes.
type Stats struct {
	Format string `json:"format"`
	// Head is the position of the last event, 0 without events.
	Head Position `json:"head"`
	// LastEvent is when that was written; zero without events.
	LastEvent time.Time `json:"last_event,omitzero"`
	// Counted are numbers that take a walk over the index; nil unless asked for.
	Counted *Counted `json:"counted,omitempty"`
	// Bytes on disk, by the kind of file. Each is in one of them alone.
	Bytes DiskBytes `json:"bytes"`
	// FreeBytes on the log's disk; −1 where the file system cannot tell.
	FreeBytes int64 `json:"free_bytes"`
	// MinFreeBytes must be free for appends to be taken; 0 of a log that is not open.
	MinFreeBytes int64 `json:"min_free_bytes,omitempty"`
	// OpenSince is when the log was opened; zero of one that is not.
	OpenSince time.Time `json:"open_since,omitzero"`
	// Failure says why appends are refused; empty when they are taken, or the log is not open.
	Failure string `json:"failure,omitempty"`
}

// Counted is what a walk over the index counts.
type Counted struct {
	Events       int64 `json:"events"`
	Streams      int64 `json:"streams"`       // that have events, metastreams included
	Tombstoned   int64 `json:"tombstoned"`    // streams ended for ever
	WithMetadata int64 `json:"with_metadata"` // streams that have a metastream
}

// DiskBytes are bytes on disk by the kind of file.
type DiskBytes struct {
	Tables int64 `json:"tables"`
	WAL    int64 `json:"wal"` // the write-ahead log, with files kept for using them again
	Other  int64 `json:"other"`
}

// StatsOptions say what is asked for. The zero value asks for what costs nothing.
type StatsOptions struct {
	FS vfs.FS // nil: the operating system's; of StatsDirectory alone
	// Count asks for Counted: about a second for a million events.
	Count bool
	// Progress is told of StepCount, in index entries; nil: nobody is.
	Progress Progress
}

// StepCount is the step of Stats that takes time, in positions.
const StepCount = "count"

// Stats of an open log.
func (l *Log) Stats(ctx context.Context, o StatsOptions) (*Stats, error) {
	l.open.RLock()
	defer l.open.RUnlock()
	if l.closed {
		return nil, ErrClosed
	}
	s := &Stats{OpenSince: l.opened.UTC(), FreeBytes: -1}
	if err := l.failure(); err != nil {
		s.Failure = err.Error()
	} else if err := l.Full(); err != nil {
		s.Failure = err.Error()
	}
	s.MinFreeBytes = l.space.minFree.Load()
	if err := s.read(ctx, l.db, l.space.fs, l.space.dir, o); err != nil {
		return nil, fmt.Errorf("stats of the event log: %w", err)
	}
	return s, nil
}

// StatsDirectory are those of a directory that no process has open; nothing in it is changed.
func StatsDirectory(ctx context.Context, dir string, o StatsOptions) (*Stats, error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	s, err := statsDirectory(ctx, dir, o)
	if err != nil {
		return nil, fmt.Errorf("stats of the event log in %s: %w", dir, err)
	}
	return s, nil
}

func statsDirectory(ctx context.Context, dir string, o StatsOptions) (_ *Stats, err error) {
	lock, err := lockExisting(dir, o.FS)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	db, err := openReadOnly(dir, o.FS)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	s := &Stats{FreeBytes: -1}
	err = s.read(ctx, db, o.FS, dir, o)
	return s, err
}

func (s *Stats) read(ctx context.Context, db *pebble.DB, disk vfs.FS, dir string, o StatsOptions) error {
	s.Format = format
	if usage, err := disk.GetDiskUsage(dir); err == nil {
		s.FreeBytes = clamp(usage.AvailBytes)
	}
	var err error
	if s.Bytes, err = sizes(disk, dir); err != nil {
		return err
	}
	snapshot := db.NewSnapshot()
	defer snapshot.Close() //nolint:errcheck // it was only read
	if err := s.lastEvent(snapshot); err != nil || !o.Count {
		return err
	}
	s.Counted, err = count(ctx, snapshot, o.Progress, int64(s.Head))
	return err
}

func (s *Stats) lastEvent(db pebble.Reader) (err error) {
	it, err := db.NewIter(spaceOf(spaceLog))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	if !it.Last() {
		return nil
	}
	p, err := positionOfKey(it.Key())
	if err != nil {
		return err
	}
	var last Record
	if err := parseRecord(&last, p, it.Value()); err != nil {
		return err
	}
	s.Head, s.LastEvent = p, last.Created.Time()
	return nil
}

// sizes of a directory's files. One that goes away meanwhile is not counted.
func sizes(disk vfs.FS, dir string) (DiskBytes, error) {
	var all DiskBytes
	names, err := disk.List(dir)
	if err != nil {
		return all, err
	}
	for _, name := range names {
		info, err := disk.Stat(disk.PathJoin(dir, name))
		switch {
		case err != nil || info.IsDir():
		case strings.HasSuffix(name, tableSuffix):
			all.Tables += info.Size()
		case strings.HasSuffix(name, walSuffix):
			all.WAL += info.Size()
		default:
			all.Other += info.Size()
		}
	}
	return all, nil
}

const walSuffix = ".log"

// hopAfter so many entries of one stream the walk counts the rest by looking at its last: a stream has no gaps.
const hopAfter = 64

// count walks the streams' index, which is a tenth of the log.
func count(ctx context.Context, db pebble.Reader, progress Progress, about int64) (_ *Counted, err error) {
	it, err := db.NewIter(spaceOf(spaceStream))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	var all Counted
	var prefix []byte
	var steps, own int64
	told := time.Now()
	for valid := it.First(); valid; valid = it.Next() {
		if steps++; steps%tellEvery == 0 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if progress != nil && time.Since(told) >= betweenTold {
				told = time.Now()
				progress(StepCount, all.Events, max(about, all.Events))
			}
		}
		key := it.Key()
		found, name, ok := cutName(key, 8)
		if !ok {
			return nil, fmt.Errorf("a key of the index: %w", ErrCorrupt)
		}
		if !bytes.Equal(found, prefix) {
			prefix, own = append(prefix[:0], found...), 0
			all.Streams++
			if bytes.HasPrefix(name, []byte(metaPrefix)) {
				all.WithMetadata++
			}
		}
		all.Events++
		own++
		revision := revisionOfKey(key)
		if revision == TombstoneRevision {
			all.Tombstoned++
			continue
		}
		if own == hopAfter && it.SeekLT(append(append([]byte{spaceStream}, prefix...), tombstoneBytes...)) {
			all.Events += int64(revisionOfKey(it.Key()) - revision) // it is this entry again, if nothing follows
		}
	}
	return &all, nil
}

// tombstoneBytes end the key of a tombstone, which is behind all others of its stream.
var tombstoneBytes = revisionKey(nil, "", TombstoneRevision)[2:]
