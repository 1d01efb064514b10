package eventlog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sync/errgroup"
)

// Fault is one thing in a log that is not as it was written. Fields that mean nothing for it are zero.
type Fault struct {
	// Kind is one of the constants.
	Kind FaultKind `json:"kind"`
	// Text says it in a sentence; streams are quoted in it, since a name may be any bytes.
	Text     string   `json:"text"`
	Position Position `json:"position,omitempty"`
	Stream   string   `json:"stream,omitempty"`
	File     string   `json:"file,omitempty"`
}

// FaultKind says what sort of fault it is.
type FaultKind string

// The kinds of faults.
const (
	// FaultFile is a file that cannot be read, or is not what its checksums say.
	FaultFile FaultKind = "file"
	// FaultRecord is a record that is not what was written, or has a place that no record can have.
	FaultRecord FaultKind = "record"
	// FaultStream is a stream whose revisions have a gap, or do not follow the log.
	FaultStream FaultKind = "stream"
	// FaultIndex is a record without its entry in the index, or an entry without its record.
	FaultIndex FaultKind = "index"
	// FaultID is an event that is not found by its id.
	FaultID FaultKind = "id"
	// FaultMarks is a stream whose metadata or tombstone is not found, or is only claimed.
	FaultMarks FaultKind = "marks"
	// FaultLost is the loss of acknowledged events at the end of the log.
	FaultLost FaultKind = "lost"
	// FaultKey is something the log never writes.
	FaultKey FaultKind = "key"
)

// maxFaults bounds how many faults are named; more than a person reads, and a damaged table can make thousands.
const maxFaults = 100

// A stream's name may be as long as an append; a hundred faults shall fit on a page or two.
const (
	maxFaultText   = 1000
	maxFaultStream = 500
)

func clip(text string, bytes int) string {
	if len(text) <= bytes {
		return text
	}
	return text[:bytes] + "…"
}

// Verification is what a check of a whole log found.
type Verification struct {
	Format string `json:"format"`
	// Head is the position of the last event, 0 without events.
	Head Position `json:"head"`
	// Acknowledged is the position up to which appends were answered. Above Head: events are missing.
	Acknowledged Position `json:"acknowledged"`
	Events       int64    `json:"events"`
	Streams      int64    `json:"streams"`       // that have events, metastreams included
	Tombstoned   int64    `json:"tombstoned"`    // streams ended for ever
	WithMetadata int64    `json:"with_metadata"` // streams that have a metastream
	// Gaps is how often a position does not follow the one before: normal after a restore or an accepted loss.
	Gaps   int64 `json:"gaps"`
	Tables int   `json:"tables"` // files whose checksums were checked
	// Backup is the manifest, where the directory is a backup's.
	Backup *Manifest `json:"-"`
	// Torn is a torn tail that the next opening will cut off. It was never acknowledged and is no fault.
	Torn *TornTail `json:"torn,omitempty"`
	// Unmarked tells that the directory does not say what was acknowledged, so that a loss at its end would not be noticed.
	Unmarked bool `json:"unmarked,omitempty"`
	// Faults are the first hundred faults found, in the order they were found in.
	Faults []Fault `json:"faults"`
	// Omitted is how many more there are.
	Omitted int           `json:"omitted,omitempty"`
	Took    time.Duration `json:"took_ns"`
}

// Progress is told how far a long task is. It is called from one goroutine at a time, some times a second, and must not block for long.
// Total is an estimate of what done will be at the end of the step.
type Progress func(step string, done, total int64)

// Steps of verifying.
const (
	StepFiles   = "check files"           // of a backup, in bytes
	StepTables  = "check tables"          // in bytes
	StepRecords = "check records"         // in records and index entries
	StepExact   = "look for what differs" // in records and index entries
)

// VerifyOptions for a directory. The zero value works.
type VerifyOptions struct {
	FS       vfs.FS   // nil: the operating system's
	Progress Progress // nil: nobody is told
}

// Verify checks every record and index entry of an open log as it is at this moment, while it is used. An error says that it could not
// be checked; what is wrong with the log is in the answer. Close waits for it: end ctx first.
func (l *Log) Verify(ctx context.Context, progress Progress) (*Verification, error) {
	l.open.RLock()
	defer l.open.RUnlock()
	if l.closed {
		return nil, ErrClosed
	}
	began := time.Now()
	v := &Verification{Format: format, Acknowledged: l.Head()}
	snapshot := l.db.NewSnapshot()
	c := newChecker(v, snapshot, progress)
	err := c.run(ctx, l.db, l.space.fs, l.space.dir)
	err = errors.Join(err, snapshot.Close())
	v.Took = time.Since(began)
	if err != nil {
		return nil, fmt.Errorf("verify the event log: %w", err)
	}
	return v, nil
}

// VerifyDirectory does the same for a directory that no process has open, be it a log's or a backup's, and changes nothing in it, even
// if it was not closed. It fails with ErrInUse when a process has it, and with fs.ErrNotExist when there is no log.
func VerifyDirectory(ctx context.Context, dir string, o VerifyOptions) (*Verification, error) {
	began := time.Now()
	disk := o.FS
	if disk == nil {
		disk = vfs.Default
	}
	v, err := verifyDirectory(ctx, dir, disk, o.Progress)
	if err != nil {
		return nil, fmt.Errorf("verify the event log in %s: %w", dir, err)
	}
	v.Took = time.Since(began)
	return v, nil
}

func verifyDirectory(ctx context.Context, dir string, disk vfs.FS, progress Progress) (_ *Verification, err error) {
	lock, err := lockExisting(dir, disk)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	v := &Verification{}
	c := newChecker(v, nil, progress)
	known, found, err := readMark(disk, dir)
	if err != nil {
		c.fault(Fault{Kind: FaultFile, File: markFile, Text: err.Error()})
	}
	v.Acknowledged, v.Unmarked = known.acknowledged, !found && err == nil
	if v.Torn, err = findTornTail(disk, dir); err != nil {
		c.fault(Fault{Kind: FaultFile, Text: err.Error()})
	}
	if err := c.checkBackup(ctx, dir, disk); err != nil {
		return nil, err
	}
	db, err := openReadOnly(dir, disk)
	if errors.Is(err, errOtherFormat) || errors.Is(err, errNoLog) && v.Unmarked {
		return nil, err
	}
	if err != nil {
		c.fault(Fault{Kind: FaultFile, Text: fmt.Sprintf("the log cannot be opened: %v", err)})
		return v, nil
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	v.Format = format
	c.db = db
	if err := c.run(ctx, db, disk, dir); err != nil {
		return nil, err
	}
	return v, nil
}

// Whole tells that nothing is wrong.
func (v *Verification) Whole() bool { return len(v.Faults) == 0 }

func (v *Verification) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d events in %d streams up to position %d", v.Events, v.Streams, v.Head)
	if n := len(v.Faults) + v.Omitted; n > 0 {
		fmt.Fprintf(&text, "; %d faults", n)
	}
	return text.String()
}

// checker walks a log. Its methods may be called by several goroutines.
type checker struct {
	db       pebble.Reader
	progress Progress
	hash     hasher

	mu    sync.Mutex
	found *Verification
	told  time.Time
	step  string
	done  int64
	total int64

	entries    int64       // an estimate of all records and index entries
	tables     []tableSpan // in the order of their last keys
	unreadable []tableSpan // what the walks could not read
	log        sums        // of the records
	index      sums        // of the index entries
	marked     sums        // of the marks that the index calls for
}

func newChecker(v *Verification, db pebble.Reader, progress Progress) *checker {
	v.Faults = []Fault{} // an empty list in JSON
	return &checker{db: db, progress: progress, found: v, hash: newHasher()}
}

// fault notes a fault; mu must not be held.
func (c *checker) fault(f Fault) {
	f.Text, f.Stream = clip(f.Text, maxFaultText), clip(f.Stream, maxFaultStream)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.found.Faults) >= maxFaults {
		c.found.Omitted++
		return
	}
	c.found.Faults = append(c.found.Faults, f)
}

func (c *checker) run(ctx context.Context, db *pebble.DB, disk vfs.FS, dir string) error {
	if err := c.checkTables(ctx, db, disk, dir); err != nil {
		return err
	}
	c.begin(StepRecords, c.entries)
	g, walking := errgroup.WithContext(ctx)
	g.Go(func() error { return c.guarded("the records", func() error { return c.walkLog(walking) }) })
	g.Go(func() error { return c.guarded("the index", func() error { return c.walkIndex(walking) }) })
	if err := g.Wait(); err != nil {
		return err
	}
	if err := c.guarded("the marks", func() error { return c.walkMarks(ctx) }); err != nil {
		return err
	}
	if err := c.guarded("the keys", c.walkOthers); err != nil {
		return err
	}
	if c.log != c.index {
		c.begin(StepExact, c.entries)
		before := len(c.found.Faults) + c.found.Omitted
		if err := c.guarded("what differs", func() error { return c.nameDifferences(ctx) }); err != nil {
			return err
		}
		if len(c.found.Faults)+c.found.Omitted == before && before == 0 {
			c.fault(Fault{Kind: FaultIndex, Text: "the index does not fit the records, though each entry does: an entry is there twice"})
		}
	}
	c.finish()
	return nil
}

// finish compares the end of the log with what was acknowledged.
func (c *checker) finish() {
	if c.found.Head < c.found.Acknowledged {
		c.fault(Fault{Kind: FaultLost, Position: c.found.Acknowledged, Text: (&Lost{
			Acknowledged: c.found.Acknowledged, Head: c.found.Head, Torn: c.found.Torn,
		}).Error()})
	}
	c.checkBackupHead()
}

// guarded runs a walk. The storage engine may panic over damage that its checksums do not cover: that is a fault, too.
func (c *checker) guarded(what string, walk func() error) (err error) {
	defer func() {
		if found := recover(); found != nil {
			c.fault(Fault{Kind: FaultFile, Text: fmt.Sprintf("the storage engine gave up reading %s: %v", what, found)})
			err = nil
		}
	}()
	return walk()
}

// betweenTold keeps telling of progress cheap.
const betweenTold = 100 * time.Millisecond

func (c *checker) begin(step string, total int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.step, c.done, c.total, c.told = step, 0, total, time.Time{}
}

// advance counts work done, and is the place where a walk notices that it shall end.
func (c *checker) advance(ctx context.Context, n int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done += n
	if c.progress != nil && time.Since(c.told) >= betweenTold {
		c.told = time.Now()
		c.progress(c.step, c.done, max(c.done, c.total))
	}
	return ctx.Err()
}
