package eventlog

import (
	"errors"
	"fmt"
	"io"
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
	// MinFree is how many bytes of the disk must stay free for appends to be taken; 0: 256 MiB; on a disk of less than 2.5 GiB a
	// tenth of it, but at least 96 MiB.
	MinFree int64
	// AcceptLoss opens a log even if acknowledged events are missing at its end. Their positions are not used again.
	AcceptLoss bool
	// RingEvents bounds how many recent records are kept in memory for followers; 0: 8,192.
	RingEvents int

	// settles: this is the part of a backup or a restore that opens what it has written.
	settles bool
}

// Log is an open event log. All methods may be called at once from many goroutines.
type Log struct {
	db         *pebble.DB
	logger     *slog.Logger
	now        func() time.Time
	onCommit   atomic.Pointer[func(events int)]
	durability *pebble.WriteOptions

	queue         chan *request
	stopping      chan struct{}
	committerDone chan struct{}
	states        stateCache // only the committer touches it

	held   io.Closer // keeps others out of the directory
	marker *marker   // only the committer touches it
	space  *space

	// marked tells that some stream has metadata or a tombstone; as long as none has, nobody looks for them.
	marked atomic.Bool

	tail tail

	failed atomic.Pointer[Failed]
	opened time.Time

	// open is held for reading while the storage engine is in use, for writing to close it.
	open   sync.RWMutex
	closed bool
}

// Open opens the log in a directory, creating both when missing, and cuts off a torn tail. It fails with ErrInUse when another
// process has the directory, with *Lost when acknowledged events are missing, with ErrCorrupt when files are damaged, and with ErrBackup
// when the directory is a backup's.
func Open(dir string, o Options) (*Log, error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	l := &Log{
		logger:        o.Logger,
		now:           o.Now,
		durability:    pebble.Sync,
		queue:         make(chan *request, queuedAppends),
		stopping:      make(chan struct{}),
		committerDone: make(chan struct{}),
	}
	if l.logger == nil {
		l.logger = slog.New(slog.DiscardHandler)
	}
	if l.now == nil {
		l.now = time.Now
	}
	if o.NoSync {
		l.durability = pebble.NoSync
	}
	l.opened = l.now()
	l.space = newSpace(o.FS, dir, o.MinFree, l.stopping)
	if err := l.start(dir, o); err != nil {
		return nil, fmt.Errorf("open the event log in %s: %w", dir, err)
	}
	l.space.waits.Store(true)
	go l.commitLoop()
	return l, nil
}

// start opens the storage and looks at what is there.
func (l *Log) start(dir string, o Options) (err error) {
	if err := checkNoBackup(o.FS, dir); err != nil && !o.settles {
		return err
	}
	lock, err := lockDirectory(dir, o.FS, lockPatience)
	if err != nil {
		return err
	}
	defer lock.Close() //nolint:errcheck // the storage engine holds its own reference to the lock
	if l.held, err = holdDirectory(dir, o.FS); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.held.Close())
		}
	}()
	if err := removeStages(o.FS, dir); err != nil {
		return err
	}
	known, found, err := readMark(o.FS, dir)
	if err != nil && !o.AcceptLoss {
		return err
	}
	there, err := l.look(dir, o, known)
	if err != nil {
		return err
	}
	if l.db, err = openStorage(dir, o, lock, l); err != nil {
		return err
	}
	head, err := l.prepare()
	if err == nil {
		err = l.judge(head, known, found, there.end.torn, o.AcceptLoss)
	}
	if err == nil {
		known = mark{acknowledged: head, floor: max(known.floor, known.acknowledged)}
		if next := known.next(head); next > head+1 {
			err = writeGap(l.db, head+1, next-1)
		}
	}
	if err == nil {
		l.marker, err = openMarker(o.FS, dir, known)
	}
	if err != nil {
		return errors.Join(err, l.db.Close())
	}
	l.tail.start(head, known.next(head), o.RingEvents)
	return nil
}

// look refuses a directory that is not whole, before it is changed. A loss that is accepted is made one that the storage engine accepts.
func (l *Log) look(dir string, o Options, known mark) (contents, error) {
	there, err := look(o.FS, dir)
	if err != nil || there.head >= known.acknowledged {
		return there, err
	}
	if !o.AcceptLoss {
		return there, &Lost{Acknowledged: known.acknowledged, Head: there.head, Torn: there.end.torn}
	}
	if there.end.path == "" || there.end.whole {
		return there, nil
	}
	l.logger.Error("the newest write-ahead log is cut off where it is damaged, a copy stays beside it", "file", there.end.path, "offset", there.end.offset)
	if err := cutOff(o.FS, there.end); err != nil {
		return there, fmt.Errorf("cut off %s: %w", there.end.path, err)
	}
	return there, nil
}

// judge compares what is there with what was acknowledged, and says what a person should know.
func (l *Log) judge(head Position, known mark, found bool, torn *TornTail, acceptLoss bool) error {
	if head < known.acknowledged {
		lost := &Lost{Acknowledged: known.acknowledged, Head: head, Torn: torn}
		if !acceptLoss {
			return lost
		}
		l.logger.Error("the event log is opened without events that were acknowledged", "position", head, "acknowledged", known.acknowledged)
	}
	if torn != nil && head >= known.acknowledged {
		l.logger.Warn("the event log had a torn tail, which was never acknowledged: it is cut off",
			"file", torn.File, "offset", torn.Offset, "bytes", torn.Bytes, "position", head)
	}
	if !found && head > 0 {
		l.logger.Warn("the event log does not know what was acknowledged: its file "+markFile+" is missing, a new one begins", "position", head)
	}
	return nil
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
	if err := errors.Join(l.db.Close(), l.marker.close(), l.held.Close()); err != nil {
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
	marked, err := lastKey(l.db, spaceMarks)
	if err != nil {
		return 0, err
	}
	l.marked.Store(marked != nil)
	last, err := lastKey(l.db, spaceLog)
	if err != nil || last == nil {
		return 0, err
	}
	return positionOfKey(last)
}

// lastKey is the highest key of a space; nil when it is empty.
func lastKey(db pebble.Reader, space byte) ([]byte, error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{space}, UpperBound: []byte{space + 1}})
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
