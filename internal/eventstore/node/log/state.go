package eventlog

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// streamState is all that decides about appends to one stream and to its metastream.
type streamState struct {
	last     Revision // of the stream; NoRevision without events
	metaLast Revision // of the metastream
	marks    marks
	metadata Metadata
}

// softDeleted streams read as not found and can be begun again.
func (s *streamState) softDeleted() bool { return s.metadata.deleted() }

func (s *streamState) tombstoned() bool { return s.marks&markTombstone != 0 }

// loadState reads a stream's state as of a position: what lies above it is not durable yet.
func loadState(r pebble.Reader, base string, at Position) (*streamState, error) {
	s := &streamState{last: NoRevision, metaLast: NoRevision}
	stored, err := loadMarks(r, base)
	if err != nil {
		return nil, err
	}
	// The marks may be newer than at: they only say where to look.
	if stored&markTombstone != 0 {
		end, ended, err := placeAt(r, base, TombstoneRevision)
		if err != nil {
			return nil, err
		}
		if ended && end.position <= at {
			s.last, s.marks = TombstoneRevision, markTombstone
		}
	}
	if !s.tombstoned() {
		if s.last, err = lastRevision(r, base, at); err != nil {
			return nil, err
		}
	}
	if stored&markMetadata != 0 {
		err = s.loadMetadata(r, base, at)
	}
	return s, err
}

func (s *streamState) loadMetadata(r pebble.Reader, base string, at Position) error {
	var err error
	if s.metaLast, err = lastRevision(r, metaPrefix+base, at); err != nil || s.metaLast == NoRevision {
		return err
	}
	s.marks |= markMetadata
	if _, isMeta := baseOf(base); isMeta {
		return nil
	}
	event, err := recordOf(r, metaPrefix+base, s.metaLast)
	if err != nil {
		return err
	}
	s.metadata = parseMetadata(event.Event)
	return nil
}

func loadMarks(r pebble.Reader, base string) (marks, error) {
	value, closer, err := r.Get(marksKey(nil, base))
	if isNotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the marks of %q: %w", base, err)
	}
	defer closer.Close() //nolint:errcheck // it releases memory and cannot fail
	if len(value) != 1 {
		return 0, fmt.Errorf("the marks of %q: %w", base, ErrCorrupt)
	}
	return marks(value[0]), nil
}

// lastRevision is the highest revision of a stream whose event is not above at; a tombstone does not count.
func lastRevision(r pebble.Reader, stream string, at Position) (Revision, error) {
	// Most appends are to new streams. A look-up of revision 0 is answered by the filters alone, a search for the last is not.
	first, found, err := placeAt(r, stream, 0)
	if err != nil {
		return NoRevision, err
	}
	if !found || first.position > at {
		return NoRevision, nil
	}
	it, err := r.NewIter(&pebble.IterOptions{
		LowerBound: revisionKey(nil, stream, 0),
		UpperBound: revisionKey(nil, stream, TombstoneRevision),
	})
	if err != nil {
		return NoRevision, fmt.Errorf("search the end of %q: %w", stream, err)
	}
	last := NoRevision
	for valid := it.Last(); valid; valid = it.Prev() {
		var p place
		if p, err = parsePlace(it.Value()); err != nil {
			break
		}
		if p.position <= at {
			last = revisionOfKey(it.Key())
			break
		}
	}
	if closeErr := it.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return NoRevision, fmt.Errorf("search the end of %q: %w", stream, err)
	}
	return last, nil
}

func placeAt(r pebble.Reader, stream string, revision Revision) (place, bool, error) {
	value, closer, err := r.Get(revisionKey(nil, stream, revision))
	if isNotFound(err) {
		return place{}, false, nil
	}
	if err != nil {
		return place{}, false, fmt.Errorf("look up revision %d of %q: %w", revision, stream, err)
	}
	defer closer.Close() //nolint:errcheck // it releases memory and cannot fail
	p, err := parsePlace(value)
	return p, err == nil, err
}

func recordAt(r pebble.Reader, p Position) (*Record, error) {
	value, closer, err := r.Get(positionKey(nil, p))
	if isNotFound(err) {
		return nil, fmt.Errorf("position %d has no record: %w", p, ErrCorrupt)
	}
	if err != nil {
		return nil, fmt.Errorf("read position %d: %w", p, err)
	}
	defer closer.Close() //nolint:errcheck // it releases memory and cannot fail
	record := new(Record)
	return record, parseRecord(record, p, append([]byte(nil), value...))
}

func recordOf(r pebble.Reader, stream string, revision Revision) (*Record, error) {
	p, found, err := placeAt(r, stream, revision)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("revision %d of %q is not indexed: %w", revision, stream, ErrCorrupt)
	}
	return recordAt(r, p.position)
}

// stateCache keeps the states of recently written streams: two generations, so that the least used half goes at once and
// nothing is dropped between rotations. Only the committer uses it.
type stateCache struct {
	young, old map[string]*streamState
}

// generationStreams bounds the cache to about 10 MiB.
const generationStreams = 32 << 10

func (c *stateCache) get(base string) (*streamState, bool) {
	if s, ok := c.young[base]; ok {
		return s, true
	}
	s, ok := c.old[base]
	if ok {
		c.young[base] = s
	}
	return s, ok
}

func (c *stateCache) put(base string, s *streamState) { c.young[base] = s }

// rotate must not be called while states are ahead of the disk: a state that is dropped is read from there again.
func (c *stateCache) rotate() {
	if c.young == nil || len(c.young) >= generationStreams {
		c.old, c.young = c.young, make(map[string]*streamState, 64)
	}
}
