package eventlog

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options of a log. The zero value is right for production.
type Options struct {
	// FS instead of the operating system's, for tests.
	FS vfs.FS
	// NoSync answers before the disk has anything. It exists so that crash tests can show that they notice.
	NoSync bool
	// Logger gets the faults of the storage engine; nil: none.
	Logger *slog.Logger
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// RingEvents bounds how many recent records are kept in memory for followers; 0: 8,192.
	RingEvents int
}

// Log is an open event log. All methods may be called at once from many goroutines.
type Log struct {
	db         *pebble.DB
	now        func() time.Time
	onCommit   atomic.Pointer[func(events int)]
	durability *pebble.WriteOptions

	queue         chan *request
	stopping      chan struct{}
	committerDone chan struct{}
	states        stateCache // only the committer touches it

	// marked tells that some stream has metadata or a tombstone; as long as none has, nobody looks for them.
	marked atomic.Bool

	tail tail

	failed atomic.Pointer[Failed]

	// open is held for reading while the storage engine is in use, for writing to close it.
	open   sync.RWMutex
	closed bool
}

// Open opens the log in a directory, creating both when missing. It fails with ErrInUse when another process has it.
func Open(dir string, o Options) (*Log, error) {
	l := &Log{
		now:           o.Now,
		durability:    pebble.Sync,
		queue:         make(chan *request, queuedAppends),
		stopping:      make(chan struct{}),
		committerDone: make(chan struct{}),
	}
	if l.now == nil {
		l.now = time.Now
	}
	if o.NoSync {
		l.durability = pebble.NoSync
	}
	var err error
	if l.db, err = openStorage(dir, o, l); err != nil {
		return nil, fmt.Errorf("open the event log in %s: %w", dir, err)
	}
	head, err := l.prepare()
	if err != nil {
		err = fmt.Errorf("open the event log in %s: %w", dir, err)
		return nil, errors.Join(err, l.db.Close())
	}
	l.tail.start(head, o.RingEvents)
	go l.commitLoop()
	return l, nil
}

// Close answers the appends that are being committed, refuses the others, and closes the directory. It waits for readers.
func (l *Log) Close() error {
	l.open.Lock()
	defer l.open.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	close(l.stopping)
	<-l.committerDone
	l.tail.close()
	if err := l.db.Close(); err != nil {
		return fmt.Errorf("close the event log: %w", err)
	}
	return nil
}

// Head is the position of the last durable event; 0 when there is none.
func (l *Log) Head() Position { return l.tail.head() }

// Moved is the head together with a channel that is closed once the head has moved on, or the log is closed.
func (l *Log) Moved() (Position, <-chan struct{}) { return l.tail.moved() }

// OnCommit has f told the size of each commit after it is durable, in place of an f given before. It must not block.
func (l *Log) OnCommit(f func(events int)) { l.onCommit.Store(&f) }

// Failure is nil as long as the log accepts appends.
func (l *Log) Failure() error { return l.failure() }

func (l *Log) failure() error {
	if f := l.failed.Load(); f != nil {
		return f
	}
	return nil
}

func (l *Log) fail(cause error) error {
	l.failed.CompareAndSwap(nil, &Failed{Cause: cause})
	return l.failure()
}

// prepare checks or writes the format and finds the head.
func (l *Log) prepare() (Position, error) {
	value, closer, err := l.db.Get(formatKey())
	switch {
	case isNotFound(err):
		if err := l.db.Set(formatKey(), []byte(format), pebble.Sync); err != nil {
			return 0, fmt.Errorf("write the format: %w", err)
		}
		if err := l.failure(); err != nil {
			return 0, err
		}
	case err != nil:
		return 0, fmt.Errorf("read the format: %w", err)
	default:
		found := string(value)
		if err := closer.Close(); err != nil {
			return 0, fmt.Errorf("read the format: %w", err)
		}
		if found != format {
			return 0, fmt.Errorf("its format is %q, this program knows %q", found, format)
		}
	}
	marked, err := l.lastKey(spaceMarks)
	if err != nil {
		return 0, err
	}
	l.marked.Store(marked != nil)
	last, err := l.lastKey(spaceLog)
	if err != nil || last == nil {
		return 0, err
	}
	return positionOfKey(last)
}

// lastKey is the highest key of a space; nil when it is empty.
func (l *Log) lastKey(space byte) ([]byte, error) {
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: []byte{space}, UpperBound: []byte{space + 1}})
	if err != nil {
		return nil, fmt.Errorf("find the end: %w", err)
	}
	var key []byte
	if it.Last() {
		key = append(key, it.Key()...)
	}
	if err := it.Close(); err != nil {
		return nil, fmt.Errorf("find the end: %w", err)
	}
	return key, nil
}

func isNotFound(err error) bool { return errors.Is(err, pebble.ErrNotFound) }
