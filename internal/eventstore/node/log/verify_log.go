package eventlog

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/cockroachdb/pebble/v2"
)

// tellEvery many entries a walk says how far it is, and looks whether it shall end.
const tellEvery = 4096

// walkLog checks each record by itself: its checksum, its form, and that its place is one a record can have.
func (c *checker) walkLog(ctx context.Context) (err error) {
	it, err := c.db.NewIter(spaceOf(spaceLog))
	if err != nil {
		return fmt.Errorf("walk the records: %w", err)
	}
	defer func() { err = errors.Join(err, closeDamaged(it)) }()
	w := &logWalk{checker: c, it: it}
	if w.unused, err = readGaps(c.db); err != nil {
		c.fault(Fault{Kind: FaultKey, Text: err.Error()})
	}
	for valid := it.First(); ; valid = w.skip() {
		for ; valid; valid = it.Next() {
			w.take()
			if w.taken++; w.taken%tellEvery == 0 {
				if err := c.advance(ctx, tellEvery); err != nil {
					return err
				}
			}
		}
		if w.over || it.Error() == nil {
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log = w.sums
	c.found.Events, c.found.Head, c.found.Gaps = w.sums.count+w.bad, w.last, w.gaps
	return nil
}

type logWalk struct {
	*checker

	it     *pebble.Iterator
	record Record
	last   Position
	sums   sums
	bad    int64
	gaps   int64
	unused gaps
	taken  int64
	over   bool // nothing more can be read

	// the stream of the record before, which is often the next one's
	stream string
	digest digest
}

func (w *logWalk) take() {
	p, err := positionOfKey(w.it.Key())
	if err != nil {
		w.fault(Fault{Kind: FaultKey, Text: err.Error()})
		return
	}
	if p == 0 || p > math.MaxInt64 {
		w.fault(Fault{Kind: FaultRecord, Position: p, Text: fmt.Sprintf("there is a record at position %d, where none can be", p)})
	}
	if p != w.last+1 {
		w.gaps++
		if !w.unused.follows(w.last, p) {
			w.fault(Fault{Kind: FaultRecord, Position: w.last + 1, Text: fmt.Sprintf("the records at positions %d to %d are missing", w.last+1, p-1)})
		}
	}
	w.last = p
	value, err := w.it.ValueAndErr()
	if err == nil {
		err = parseRecord(&w.record, p, value)
	}
	if err == nil && (w.record.Stream == "" || w.record.Stream == metaPrefix || w.record.Revision < 0) {
		err = fmt.Errorf("the record at position %d says revision %d of stream %q, which cannot be", p, w.record.Revision, w.record.Stream)
	}
	if err != nil {
		w.bad++
		w.fault(Fault{Kind: FaultRecord, Position: p, Text: err.Error()})
		return
	}
	if w.stream != w.record.Stream || w.sums.count == 0 {
		w.stream, w.digest = w.record.Stream, w.hash.stream([]byte(w.record.Stream))
	}
	w.sums.add(w.hash, w.digest, w.record.Revision, w.record.ID, p)
}

// skip goes on behind records that the storage engine cannot read, and says which those are. Positions are dense, so that the first
// readable one is found in a few steps. Few they must be: at each the engine reads the damaged block, and tries every bit of it.
func (w *logWalk) skip() bool {
	damage := w.it.Error()
	limit := Position(math.MaxInt64)
	if acknowledged := w.found.Acknowledged; acknowledged > w.last {
		limit = acknowledged // what is behind a damaged end was not, if it is there
	}
	var bad Position
	good := w.last
	for step := Position(1); ; step *= 16 {
		bad, good = good, w.last+step
		if step > (limit-w.last)/16 {
			good = limit
		}
		if w.seek(good) {
			break
		}
		if good == limit {
			w.unread(math.MaxInt64, damage)
			w.over = true
			return false
		}
	}
	for good-bad > 1 {
		middle := bad + (good-bad)/2
		if w.seek(middle) {
			good = middle
		} else {
			bad = middle
		}
	}
	valid := w.it.SeekGE(positionKey(nil, good))
	to := Position(math.MaxInt64)
	if valid {
		if p, err := positionOfKey(w.it.Key()); err == nil {
			to = p - 1
		}
	}
	w.unread(to, damage)
	if valid {
		w.last = max(w.last, to)
	}
	return valid
}

// seek tells whether a position can be looked up.
func (w *logWalk) seek(p Position) bool {
	return w.it.SeekGE(positionKey(nil, p)) || w.it.Error() == nil
}

func (w *logWalk) unread(to Position, damage error) {
	text := fmt.Sprintf("the records after position %d cannot be read: %v", w.last, damage)
	if to != math.MaxInt64 {
		text = fmt.Sprintf("the records between position %d and %d cannot be read: %v", w.last+1, to, damage)
	}
	w.fault(Fault{Kind: FaultFile, Position: w.last + 1, Text: text})
	w.cannotRead(positionKey(nil, w.last+1), positionKey(nil, to))
}

func spaceOf(space byte) *pebble.IterOptions {
	return &pebble.IterOptions{LowerBound: []byte{space}, UpperBound: []byte{space + 1}}
}

// closeDamaged closes an iterator whose last error has been reported: Close says it once more.
func closeDamaged(it *pebble.Iterator) error {
	known := it.Error()
	if err := it.Close(); err != nil && known == nil {
		return err
	}
	return nil
}

// walkOthers looks for keys that the log never writes.
func (c *checker) walkOthers() (err error) {
	it, err := c.db.NewIter(nil)
	if err != nil {
		return fmt.Errorf("walk the keys: %w", err)
	}
	defer func() { err = errors.Join(err, closeDamaged(it)) }()
	for valid := it.First(); valid; {
		key := it.Key()
		switch key[0] {
		case spaceLog, spaceStream, spaceID, spaceMarks, spaceGaps:
			valid = it.SeekGE([]byte{key[0] + 1})
			continue
		}
		if !bytes.Equal(key, formatKey()) {
			c.fault(Fault{Kind: FaultKey, Text: fmt.Sprintf("there is a key %q, which the log never writes", key)})
		}
		valid = it.Next()
	}
	return nil
}

// cutName takes a stream's name from a key that must have so many bytes behind it. The prefix is all before those, without the space.
func cutName(key []byte, behind int) (prefix, name []byte, ok bool) {
	n, size := binary.Uvarint(key[1:])
	if size <= 0 || len(key) < 1+behind || n > uint64(len(key)) || len(key) != 1+size+int(n)+behind {
		return nil, nil, false
	}
	prefix = key[1 : len(key)-behind]
	return prefix, prefix[size:], n > 0
}
