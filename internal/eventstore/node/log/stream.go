package eventlog

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// ErrNotFound answers reading a stream that never had events, or is deleted.
var ErrNotFound = errors.New("the stream does not exist")

// Stream is a stream as it was at one moment: later appends, deletions and truncations do not change what it reads.
type Stream struct {
	Name string
	// Head of the log at that moment: events above it are not read.
	Head Position
	// Last revision, NoRevision without events. Truncation does not lower it.
	Last Revision
	// First revision that is visible, were it there.
	First Revision
	// Found is false for a stream that never had events or is deleted.
	Found bool

	log      *Log
	metadata Metadata
}

// Stream looks a stream up. A tombstoned one is *StreamDeleted.
func (l *Log) Stream(name string) (_ *Stream, err error) {
	l.open.RLock()
	defer l.open.RUnlock()
	if l.closed {
		return nil, ErrClosed
	}
	base, isMeta := baseOf(name)
	if !isMeta {
		base = name
	}
	head := l.Head()
	find := &finder{db: l.db}
	defer find.closeInto(&err)
	state, err := find.state(base, head, l.marked.Load())
	if err != nil {
		return nil, err
	}
	if state.tombstoned() {
		return nil, &StreamDeleted{Stream: name}
	}
	s := &Stream{Name: name, Head: head, log: l, Last: state.last, metadata: state.metadata}
	if isMeta {
		s.Last, s.metadata = state.metaLast, metastreamMetadata
	}
	s.First = s.metadata.firstVisible(s.Last)
	s.Found = s.Last != NoRevision && !s.metadata.deleted()
	return s, nil
}

// Forward reads upwards from a revision inclusive. An empty page: nothing more.
func (s *Stream) Forward(from Revision, limit Limit) ([]*Record, error) {
	return s.read(max(from, s.First), s.Last, false, limit)
}

// Backward reads downwards from a revision inclusive. An empty page: nothing more.
func (s *Stream) Backward(from Revision, limit Limit) ([]*Record, error) {
	return s.read(s.First, min(from, s.Last), true, limit)
}

func (s *Stream) read(from, to Revision, backwards bool, limit Limit) ([]*Record, error) {
	if from > to {
		return nil, nil
	}
	l := s.log
	l.open.RLock()
	defer l.open.RUnlock()
	if l.closed {
		return nil, ErrClosed
	}
	records, err := s.scan(from, to, backwards, limit.normal())
	if err != nil {
		return nil, fmt.Errorf("read stream %q: %w", s.Name, err)
	}
	return records, nil
}

func (s *Stream) scan(from, to Revision, backwards bool, limit Limit) (records []*Record, err error) {
	index, err := s.log.db.NewIter(&pebble.IterOptions{
		LowerBound: revisionKey(nil, s.Name, from),
		UpperBound: revisionKey(nil, s.Name, to+1),
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, index.Close()) }()
	log, err := s.log.db.NewIter(&pebble.IterOptions{LowerBound: []byte{spaceLog}, UpperBound: []byte{spaceLog + 1}})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()

	page := pageReader{limit: limit}
	now := s.log.now()
	valid, step := walk(index, backwards)
	var key []byte
	for ; valid && !page.full(); valid = step() {
		p, err := parsePlace(index.Value())
		if err != nil {
			return nil, err
		}
		key = positionKey(key, p.position)
		if !log.SeekGE(key) || !bytes.Equal(log.Key(), key) {
			return nil, fmt.Errorf("position %d has no record: %w", p.position, ErrCorrupt)
		}
		if err := page.take(p.position, log.Value()); err != nil {
			return nil, err
		}
		if s.metadata.tooOld(page.records[len(page.records)-1].Created, now) {
			page.drop()
		}
	}
	return page.records, nil
}

// drop forgets the record just taken.
func (p *pageReader) drop() {
	last := len(p.records) - 1
	p.bytes -= recordBytes(p.records[last])
	p.records = p.records[:last]
}

// Event is one event of a stream, nil when there is none or it is hidden.
func (l *Log) Event(stream string, revision Revision) (*Record, error) {
	s, err := l.Stream(stream)
	if deleted := (*StreamDeleted)(nil); errors.As(err, &deleted) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !s.Found || revision < s.First || revision > s.Last {
		return nil, nil
	}
	page, err := s.Forward(revision, Limit{Events: 1})
	if err != nil || len(page) == 0 || page[0].Revision != revision {
		return nil, err
	}
	return page[0], nil
}
