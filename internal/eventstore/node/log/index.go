package eventlog

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/google/uuid"
)

// streamIndex looks a stream's events up in the commit being built, then on disk.
type streamIndex struct {
	group  *group
	stream string
}

func (x streamIndex) at(revision Revision) (place, error) {
	if pending, ok := x.group.pending[x.stream]; ok && revision >= pending.first {
		return pending.places[revision-pending.first], nil
	}
	p, found, err := x.group.find.place(x.stream, revision)
	if err == nil && !found {
		err = fmt.Errorf("revision %d of %q is not indexed: %w", revision, x.stream, ErrCorrupt)
	}
	return p, err
}

func (x streamIndex) latest(id uuid.UUID) (Revision, place, bool, error) {
	if pending, ok := x.group.pending[x.stream]; ok {
		for i, p := range slices.Backward(pending.places) {
			if p.id == id {
				return pending.first + Revision(i), p, true, nil
			}
		}
	}
	find := x.group.find
	find.key = idKey(find.key, x.stream, id)
	value, found, err := find.get()
	if err != nil {
		return 0, place{}, false, fmt.Errorf("look up an event of %q by id: %w", x.stream, err)
	}
	if !found {
		return 0, place{}, false, nil
	}
	if len(value) != 8 {
		return 0, place{}, false, fmt.Errorf("an id of %q: %w", x.stream, ErrCorrupt)
	}
	revision := Revision(binary.BigEndian.Uint64(value))
	p, err := x.at(revision)
	return revision, p, err == nil, err
}
