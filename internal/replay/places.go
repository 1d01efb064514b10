package replay

import (
	"slices"

	"github.com/google/uuid"
)

// places says where each notification that was replayed is in the other instance. It grows with their number, about 100
// bytes for each: the one thing a replay holds of the whole log. The zero value knows none.
type places struct {
	byID  map[uuid.UUID]place
	order []moved // by from
}

type place struct {
	id   uuid.UUID // in the other instance
	from uint64    // the position of the publish in the source
}

// moved is the position of a publish in the source and in the other instance. Both rise together, as publishes are
// played one after the other.
type moved struct{ from, to uint64 }

// add takes a publish that was played; again, if it was played again.
func (p *places) add(id uuid.UUID, from uint64, there uuid.UUID, to uint64) {
	if p.byID == nil {
		p.byID = map[uuid.UUID]place{}
	}
	p.byID[id] = place{there, from}
	at, found := p.find(from)
	if !found {
		p.order = slices.Insert(p.order, at, moved{from, to}) // at the end, but for one that was refused before
	}
}

func (p *places) find(from uint64) (int, bool) {
	return slices.BinarySearchFunc(p.order, from, func(m moved, from uint64) int {
		switch {
		case m.from < from:
			return -1
		case m.from > from:
			return 1
		default:
			return 0
		}
	})
}

func (p *places) id(id uuid.UUID) (uuid.UUID, bool) {
	there, ok := p.byID[id]
	return there.id, ok
}

// idBefore is id for what was published before a position of the source.
func (p *places) idBefore(id uuid.UUID, at uint64) (uuid.UUID, bool) {
	there, ok := p.byID[id]
	return there.id, ok && there.from < at
}

// through is the position in the other instance that covers what was published in the source at or below one; 0 where
// nothing was.
func (p *places) through(from uint64) uint64 {
	at, found := p.find(from)
	if found {
		return p.order[at].to
	}
	if at == 0 {
		return 0
	}
	return p.order[at-1].to
}
