package eventlog

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// finder looks things up in the storage as it was at the first look. It belongs to one goroutine and must be closed soon: it keeps what
// it can see from being tidied away.
type finder struct {
	db  *pebble.DB
	it  *pebble.Iterator
	key []byte
}

// iterator is made when it is first needed. A Get would not ask the filters of the lowest level, where almost all of a
// large log is, and most look-ups are for what does not exist: a new stream.
func (f *finder) iterator() (*pebble.Iterator, error) {
	if f.it == nil {
		it, err := f.db.NewIter(&pebble.IterOptions{UseL6Filters: true})
		if err != nil {
			return nil, err
		}
		f.it = it
	}
	return f.it, nil
}

// get is the value of f.key, until the next call.
func (f *finder) get() (value []byte, found bool, err error) {
	it, err := f.iterator()
	if err != nil {
		return nil, false, err
	}
	if !it.SeekPrefixGE(f.key) {
		return nil, false, it.Error()
	}
	if !bytes.Equal(it.Key(), f.key) {
		return nil, false, nil
	}
	value, err = it.ValueAndErr()
	return value, err == nil, err
}

func (f *finder) close() error {
	if f.it == nil {
		return nil
	}
	return f.it.Close()
}

// closeInto reports what closing found, unless there is an error already.
func (f *finder) closeInto(err *error) {
	if closed := f.close(); closed != nil {
		*err = errors.Join(*err, fmt.Errorf("look up: %w", closed))
	}
}

func (f *finder) marks(base string) (marks, error) {
	f.key = marksKey(f.key, base)
	value, found, err := f.get()
	if err != nil {
		return 0, fmt.Errorf("read the marks of %q: %w", base, err)
	}
	if !found {
		return 0, nil
	}
	if len(value) != 1 {
		return 0, fmt.Errorf("the marks of %q: %w", base, ErrCorrupt)
	}
	return marks(value[0]), nil
}

// place is where an event of a stream is.
func (f *finder) place(stream string, revision Revision) (place, bool, error) {
	f.key = revisionKey(f.key, stream, revision)
	value, found, err := f.get()
	if err != nil {
		return place{}, false, fmt.Errorf("look up revision %d of %q: %w", revision, stream, err)
	}
	if !found {
		return place{}, false, nil
	}
	p, err := parsePlace(value)
	return p, err == nil, err
}

// last is the highest revision of a stream whose event is not above at; a tombstone does not count.
func (f *finder) last(stream string, at Position) (Revision, error) {
	// Most appends are to new streams. A look-up of revision 0 is answered by the filters alone, a search for the last is not.
	first, found, err := f.place(stream, 0)
	if err != nil || !found || first.position > at {
		return NoRevision, err
	}
	f.key = revisionKey(f.key, stream, TombstoneRevision)
	prefix := f.key[:len(f.key)-8]
	for valid := f.it.SeekLT(f.key); valid && bytes.HasPrefix(f.it.Key(), prefix); valid = f.it.Prev() {
		p, err := parsePlace(f.it.Value())
		if err != nil {
			return NoRevision, err
		}
		if p.position <= at {
			return revisionOfKey(f.it.Key()), nil
		}
	}
	if err := f.it.Error(); err != nil {
		return NoRevision, fmt.Errorf("search the end of %q: %w", stream, err)
	}
	return NoRevision, fmt.Errorf("%q has a first event and no last: %w", stream, ErrCorrupt)
}

func (f *finder) record(p Position) (*Record, error) {
	f.key = positionKey(f.key, p)
	value, found, err := f.get()
	if err != nil {
		return nil, fmt.Errorf("read position %d: %w", p, err)
	}
	if !found {
		return nil, fmt.Errorf("position %d has no record: %w", p, ErrCorrupt)
	}
	record := new(Record)
	return record, parseRecord(record, p, append([]byte(nil), value...))
}

func (f *finder) recordOf(stream string, revision Revision) (*Record, error) {
	p, found, err := f.place(stream, revision)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("revision %d of %q is not indexed: %w", revision, stream, ErrCorrupt)
	}
	return f.record(p.position)
}
