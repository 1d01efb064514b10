package eventlog

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Limit ends a page: after so many events, or once their bytes reach so many. A page of a non-empty rest has at least one event.
type Limit struct {
	Events int
	Bytes  int
}

// Page is the usual limit: small enough that ten thousand slow readers fit in memory, large enough that starting a page costs little.
var Page = Limit{Events: 64, Bytes: 32 << 10}

func (l Limit) normal() Limit {
	if l.Events <= 0 {
		l.Events = Page.Events
	}
	if l.Bytes <= 0 {
		l.Bytes = Page.Bytes
	}
	return l
}

// Forward reads the log upwards, from a position inclusive. An empty page: nothing there yet.
func (l *Log) Forward(from Position, limit Limit) ([]*Record, error) {
	records, _, err := l.follow(from, limit)
	return records, err
}

// Follow is Forward for followers: recent tells that the page came from memory, which says that the reader keeps up.
func (l *Log) Follow(from Position, limit Limit) (records []*Record, recent bool, err error) {
	return l.follow(from, limit)
}

func (l *Log) follow(from Position, limit Limit) ([]*Record, bool, error) {
	limit, from = limit.normal(), max(from, 1)
	if records, ok := l.tail.page(from, limit); ok {
		if len(records) == 0 && l.tail.ended() {
			return nil, true, ErrClosed // or who follows would ask again and again: nothing moves any more
		}
		return records, true, nil
	}
	records, err := l.scan(from, l.Head(), false, limit)
	return records, false, err
}

// Backward reads the log downwards, from just below a position.
func (l *Log) Backward(below Position, limit Limit) ([]*Record, error) {
	if below <= 1 {
		return nil, nil
	}
	return l.scan(1, min(below-1, l.Head()), true, limit.normal())
}

// scan reads the records between two positions, both included.
func (l *Log) scan(from, to Position, backwards bool, limit Limit) ([]*Record, error) {
	if from > to {
		return nil, nil
	}
	l.open.RLock()
	defer l.open.RUnlock()
	if l.closed {
		return nil, ErrClosed
	}
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: positionKey(nil, from), UpperBound: positionKey(nil, to+1)})
	if err != nil {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	page := pageReader{limit: limit, records: make([]*Record, 0, min(limit.Events, Page.Events))}
	valid, step := walk(it, backwards)
	for ; valid && !page.full(); valid = step() {
		p, keyErr := positionOfKey(it.Key())
		if keyErr != nil {
			err = keyErr
			break
		}
		if err = page.take(p, it.Value()); err != nil {
			break
		}
	}
	if closeErr := it.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	return page.records, nil
}

// walk puts an iterator on the first record of its way. Step goes on to the next.
func walk(it *pebble.Iterator, backwards bool) (valid bool, step func() bool) {
	if backwards {
		return it.Last(), it.Prev
	}
	return it.First(), it.Next
}

// pageReader gathers a page. Values are copied into shared blocks, because the storage engine takes its own back.
type pageReader struct {
	limit   Limit
	records []*Record
	bytes   int
	block   []byte
	spare   []Record
}

const (
	pageBlockBytes   = 16 << 10
	pageSpareRecords = 32
)

func (p *pageReader) full() bool {
	return len(p.records) >= p.limit.Events || p.bytes >= p.limit.Bytes
}

func (p *pageReader) take(at Position, value []byte) error {
	if len(p.spare) == 0 {
		p.spare = make([]Record, min(pageSpareRecords, p.limit.Events))
	}
	record := &p.spare[0]
	if n := len(p.records); n > 0 {
		record.Stream, record.Type = p.records[n-1].Stream, p.records[n-1].Type
	}
	if err := parseRecord(record, at, p.keep(value)); err != nil {
		return err
	}
	p.spare = p.spare[1:]
	p.records = append(p.records, record)
	p.bytes += recordBytes(record)
	return nil
}

func (p *pageReader) keep(value []byte) []byte {
	if len(value) > cap(p.block)-len(p.block) {
		size := max(len(value), min(pageBlockBytes, p.limit.Events*len(value)))
		p.block = make([]byte, 0, size)
	}
	start := len(p.block)
	p.block = append(p.block, value...)
	return p.block[start:len(p.block):len(p.block)]
}
