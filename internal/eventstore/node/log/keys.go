package eventlog

import (
	"encoding/binary"
	"fmt"

	"github.com/google/uuid"
)

// The key spaces. A stream's name is preceded by its length, so that no stream's keys begin with another's, whatever bytes it has.
//
//	f                        → format of this directory
//	p position               → record
//	s len name revision      → position, event id
//	i len name event id      → the latest revision with that id
//	m len name               → marks: this stream has metadata, or is ended
//	g position               → the last of the positions, from this one on, that were never used
const (
	spaceFormat byte = 'f'
	spaceLog    byte = 'p'
	spaceStream byte = 's'
	spaceID     byte = 'i'
	spaceMarks  byte = 'm'
	spaceGaps   byte = 'g'
)

const format = "tidings event log 1"

func formatKey() []byte { return []byte{spaceFormat} }

func positionKey(buf []byte, p Position) []byte {
	return binary.BigEndian.AppendUint64(append(buf[:0], spaceLog), uint64(p))
}

func positionOfKey(key []byte) (Position, error) {
	if len(key) != 9 {
		return 0, fmt.Errorf("a log key of %d bytes: %w", len(key), ErrCorrupt)
	}
	return Position(binary.BigEndian.Uint64(key[1:])), nil
}

func namePrefix(buf []byte, space byte, stream string) []byte {
	buf = binary.AppendUvarint(append(buf[:0], space), uint64(len(stream)))
	return append(buf, stream...)
}

func revisionKey(buf []byte, stream string, r Revision) []byte {
	return binary.BigEndian.AppendUint64(namePrefix(buf, spaceStream, stream), uint64(r))
}

func revisionOfKey(key []byte) Revision {
	return Revision(binary.BigEndian.Uint64(key[len(key)-8:]))
}

func idKey(buf []byte, stream string, id uuid.UUID) []byte {
	return append(namePrefix(buf, spaceID, stream), id[:]...)
}

func marksKey(buf []byte, stream string) []byte { return namePrefix(buf, spaceMarks, stream) }

// place is the value of a stream's index: where the event is, and which.
type place struct {
	position Position
	id       uuid.UUID
}

const placeBytes = 8 + 16

func (p place) append(buf []byte) []byte {
	return append(binary.BigEndian.AppendUint64(buf[:0], uint64(p.position)), p.id[:]...)
}

func parsePlace(value []byte) (place, error) {
	if len(value) != placeBytes {
		return place{}, fmt.Errorf("an index entry of %d bytes: %w", len(value), ErrCorrupt)
	}
	return place{position: Position(binary.BigEndian.Uint64(value)), id: uuid.UUID(value[8:])}, nil
}

// marks say what else must be looked up to know a stream. Most streams have no marks and so no key.
type marks byte

const (
	markMetadata  marks = 1 << iota // the stream's metastream has events
	markTombstone                   // the stream is ended
)
