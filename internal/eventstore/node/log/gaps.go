package eventlog

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// gaps are the positions that were never used, by the first of each run, with its last. Every other position up to the head has an event:
// one that has not is lost.
type gaps map[Position]Position

// note is told of an entry of any space.
func (g gaps) note(key, value []byte) error {
	if len(key) == 0 || key[0] != spaceGaps {
		return nil
	}
	if len(key) != 9 || len(value) != 8 {
		return fmt.Errorf("a gap of %d and %d bytes: %w", len(key), len(value), ErrCorrupt)
	}
	g[Position(binary.BigEndian.Uint64(key[1:]))] = Position(binary.BigEndian.Uint64(value))
	return nil
}

// follows tells whether the event after position last can be at first.
func (g gaps) follows(last, first Position) bool {
	return first == last+1 || first > last && g[last+1] == first-1
}

// readGaps reads those of a log.
func readGaps(db pebble.Reader) (g gaps, err error) {
	it, err := db.NewIter(spaceOf(spaceGaps))
	if err != nil {
		return nil, fmt.Errorf("read the gaps: %w", err)
	}
	g = gaps{}
	for valid := it.First(); valid && err == nil; valid = it.Next() {
		err = g.note(it.Key(), it.Value())
	}
	if err = errors.Join(err, it.Close()); err != nil {
		return nil, fmt.Errorf("read the gaps: %w", err)
	}
	return g, nil
}

// writeGap keeps that no event is at first or above, up to last.
func writeGap(db *pebble.DB, first, last Position) error {
	key := binary.BigEndian.AppendUint64([]byte{spaceGaps}, uint64(first))
	if err := db.Set(key, binary.BigEndian.AppendUint64(nil, uint64(last)), pebble.Sync); err != nil {
		return fmt.Errorf("write the gap after position %d: %w", first-1, err)
	}
	return nil
}
