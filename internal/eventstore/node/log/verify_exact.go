package eventlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// nameDifferences walks the records and the index once more, looking each up in the other.
func (c *checker) nameDifferences(ctx context.Context) error {
	if err := c.recordsWithoutIndex(ctx); err != nil {
		return err
	}
	return c.indexWithoutRecords(ctx)
}

func (c *checker) recordsWithoutIndex(ctx context.Context) (err error) {
	find := &seeker{checker: c}
	defer find.close()
	records, err := c.quietCursor(spaceLog)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeDamaged(records.it)) }()
	var record Record
	for n := 1; records.next(); n++ {
		if n%tellEvery == 0 {
			if err := c.advance(ctx, tellEvery); err != nil {
				return err
			}
		}
		p, err := positionOfKey(records.it.Key())
		if err == nil {
			err = parseRecord(&record, p, records.it.Value())
		}
		if err != nil {
			continue // said
		}
		value, found, err := find.get(revisionKey(nil, record.Stream, record.Revision))
		if err != nil {
			continue // said
		}
		at, err := parsePlace(value)
		what := ""
		switch {
		case !found:
			what = "is not in the index"
		case err != nil: // said
		case at.position != p:
			what = fmt.Sprintf("is in the index as position %d", at.position)
		case at.id != record.ID:
			what = fmt.Sprintf("has the id %s and in the index the id %s", record.ID, at.id)
		}
		if what != "" {
			c.fault(Fault{Kind: FaultIndex, Position: p, Stream: record.Stream, Text: fmt.Sprintf(
				"the record at position %d, revision %d of %q, %s", p, record.Revision, record.Stream, what)})
		}
	}
	return nil
}

func (c *checker) indexWithoutRecords(ctx context.Context) (err error) {
	find := &seeker{checker: c}
	defer find.close()
	entries, err := c.quietCursor(spaceStream)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeDamaged(entries.it)) }()
	var record Record
	for n := 1; entries.next(); n++ {
		if n%tellEvery == 0 {
			if err := c.advance(ctx, tellEvery); err != nil {
				return err
			}
		}
		key := entries.it.Key()
		_, name, ok := cutName(key, 8)
		at, err := parsePlace(entries.it.Value())
		if !ok || err != nil {
			continue // said
		}
		value, found, err := find.get(positionKey(nil, at.position))
		if err != nil {
			continue // said
		}
		revision := revisionOfKey(key)
		if found && parseRecord(&record, at.position, value) != nil {
			continue // said
		}
		what := ""
		switch {
		case !found:
			what = "there is no record"
		case record.Stream != string(name) || record.Revision != revision:
			what = fmt.Sprintf("there is revision %d of %q", record.Revision, record.Stream)
		case record.ID != at.id:
			continue // said of the record
		}
		if what != "" {
			c.fault(Fault{Kind: FaultIndex, Position: at.position, Stream: string(name), Text: fmt.Sprintf(
				"the index has revision %d of %q at position %d, where %s", revision, name, at.position, what)})
		}
	}
	return nil
}

// quietCursor walks a space a second time: what cannot be read has been said.
func (c *checker) quietCursor(space byte) (*cursor, error) {
	cursor, err := c.cursor(space)
	if err == nil {
		cursor.quiet = true
	}
	return cursor, err
}

// seeker looks keys up without the filters, which are under test as well.
type seeker struct {
	*checker

	it *pebble.Iterator
}

// errUnreadable is for what is known to be damaged, and said to be.
var errUnreadable = fmt.Errorf("not read: %w", ErrCorrupt)

// get is the value of a key, until the next call.
func (s *seeker) get(key []byte) (value []byte, found bool, err error) {
	if !s.canRead(key) {
		return nil, false, errUnreadable
	}
	if s.it == nil {
		if s.it, err = s.db.NewIter(nil); err != nil {
			return nil, false, err
		}
	}
	if !s.it.SeekGE(key) {
		return nil, false, s.it.Error()
	}
	if !bytes.Equal(s.it.Key(), key) {
		return nil, false, nil
	}
	value, err = s.it.ValueAndErr()
	return value, err == nil, err
}

func (s *seeker) close() {
	if s.it != nil {
		_ = s.it.Close() // what it could not read was said where it was found
	}
}

// each visits all entries that begin with a prefix.
func each(db pebble.Reader, prefix []byte, visit func(*pebble.Iterator)) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: behindPrefix(prefix)})
	if err != nil {
		return // a snapshot that is closed, which ours is not
	}
	for valid := it.First(); valid; valid = it.Next() {
		visit(it)
	}
	_ = it.Close() // as above
}

// behindPrefix is the lowest key that is above all with a prefix. A space's prefix is never all 0xff.
func behindPrefix(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; ; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
}
