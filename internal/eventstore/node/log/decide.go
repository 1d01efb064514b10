package eventlog

import "github.com/google/uuid"

// index answers what a stream's events are, those of the commit being built included.
type index interface {
	// at is the event at a revision that is not above the stream's last.
	at(Revision) (place, error)
	// latest is the youngest event with that id.
	latest(uuid.UUID) (Revision, place, bool, error)
}

// verdict on an append that is allowed.
type verdict struct {
	write    bool     // otherwise it was written before, or there is nothing to write
	revision Revision // of the last event, when it is not to be written
	position Position // of the same; 0 when there is none
}

// view is the state of the stream itself, be it a metastream or not.
type view struct {
	stream      string
	last        Revision
	hasMetadata bool
	softDeleted bool
	tombstoned  bool
}

// decide tells whether events with these ids may be appended.
func decide(v view, expected Expected, ids []uuid.UUID, events index) (verdict, error) {
	if v.tombstoned {
		return verdict{}, &StreamDeleted{Stream: v.stream}
	}
	switch {
	case expected == StreamExists && v.softDeleted:
		return verdict{}, &StreamDeleted{Stream: v.stream}
	case expected == StreamExists && v.last == NoRevision && !v.hasMetadata:
		return verdict{}, v.wrong(expected)
	case expected == StreamExists || expected == Any:
		return decideByID(v, expected, ids, events)
	case Revision(expected) < v.last:
		return decideByRevision(v, expected, ids, events)
	case Revision(expected) > v.last:
		return verdict{}, v.wrong(expected)
	}
	return v.append(ids), nil
}

// decideByID recognizes a repeat by the ids alone, wherever in the stream they are.
func decideByID(v view, expected Expected, ids []uuid.UUID, events index) (verdict, error) {
	repeat := verdict{revision: v.last}
	for i, id := range ids {
		revision, p, known, err := events.latest(id)
		switch {
		case err != nil:
			return verdict{}, err
		case !known && i == 0:
			return v.append(ids), nil
		case !known:
			return verdict{}, v.wrong(expected)
		}
		repeat = verdict{revision: revision, position: p.position}
	}
	return repeat, nil
}

// decideByRevision recognizes a repeat by the same ids at the same revisions.
func decideByRevision(v view, expected Expected, ids []uuid.UUID, events index) (verdict, error) {
	if len(ids) == 0 {
		return verdict{}, v.wrong(expected)
	}
	var repeat verdict
	for i, id := range ids {
		revision := Revision(expected) + 1 + Revision(i)
		same := false
		if revision <= v.last {
			p, err := events.at(revision)
			if err != nil {
				return verdict{}, err
			}
			same = p.id == id
			repeat = verdict{revision: revision, position: p.position}
		}
		switch {
		case same:
		case i == 0 && expected == NoStream && v.softDeleted:
			return v.append(ids), nil
		default:
			return verdict{}, v.wrong(expected)
		}
	}
	return repeat, nil
}

func (v view) append(ids []uuid.UUID) verdict {
	return verdict{write: len(ids) > 0, revision: v.last}
}

func (v view) wrong(expected Expected) error {
	return &WrongRevision{Stream: v.stream, Expected: expected, Current: v.last}
}
