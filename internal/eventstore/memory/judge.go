package memory

import (
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
)

// judge is EventStoreDB's rule for expected revisions and repeated ids. It
// answers the revision the append's last event has, or had already.
func judge(ids []uuid.UUID, expected events.Expected, evs []events.Proposed) (last int, repeated bool, err error) {
	current, next := len(ids)-1, len(ids)
	switch expected.Kind {
	case events.ExpectAny:
		if lastIndex(ids, evs[0].ID) < 0 {
			return current + len(evs), false, nil
		}
		for _, e := range evs {
			if last = lastIndex(ids, e.ID); last < 0 {
				return 0, false, fmt.Errorf("%w: some of the events are there, some are not", events.ErrWrongRevision)
			}
		}
		return last, true, nil
	case events.ExpectNoStream:
		next = 0
	case events.ExpectExact:
		if expected.Revision > events.Revision(len(ids)) { // beyond what an int may hold, too
			return 0, false, fmt.Errorf("%w: expected %s", events.ErrWrongRevision, expected)
		}
		next = int(expected.Revision) + 1
	}
	if next == len(ids) {
		return current + len(evs), false, nil
	}
	for n, e := range evs {
		if next+n >= len(ids) || ids[next+n] != e.ID {
			return 0, false, fmt.Errorf("%w: expected %s", events.ErrWrongRevision, expected)
		}
	}
	return next + len(evs) - 1, true, nil
}

func lastIndex(ids []uuid.UUID, id uuid.UUID) int {
	for n, known := range slices.Backward(ids) {
		if known == id {
			return n
		}
	}
	return -1
}
