package commands

import (
	"maps"

	"github.com/tidings-io/tidings/internal/events"
)

// The codes of refused orders.
const (
	CodeVersionNotFound = "version_not_found" // the projection has no such version, or no more
	CodeVersionWanted   = "version_wanted"    // readers are served by this version, or will be
)

// Projection is what operators ordered of a projection. The zero value: version 1
// is there and wanted, nothing is paused or skipped.
type Projection struct {
	Paused  bool
	Skipped map[events.Position]bool

	newest  int // 0 means 1
	target  int // 0 means 1
	dropped map[int]bool
}

// Newest is the highest version there ever was.
func (p Projection) Newest() int { return max(p.newest, 1) }

// Target is the version that is to serve readers.
func (p Projection) Target() int { return max(p.target, 1) }

// Has says whether a version was ordered and not dropped.
func (p Projection) Has(version int) bool {
	return version >= 1 && version <= p.Newest() && !p.dropped[version]
}

// Evolve folds one order.
func (p Projection) Evolve(e events.ProjectionEvent, _ events.Position) Projection {
	switch e := e.(type) {
	case events.RebuildOrdered:
		p.newest = e.Version
		if !e.Held {
			p.target = e.Version
		}
	case events.VersionActivated:
		p.target = e.Version
	case events.VersionDropped:
		p.dropped = with(p.dropped, e.Version)
	case events.ProjectionPaused:
		p.Paused = true
	case events.ProjectionResumed:
		p.Paused = false
	case events.EventSkipped:
		p.Skipped = with(p.Skipped, e.Position)
	}
	return p
}

// with is a set and one more: a state that was handed out does not change.
func with[T comparable](set map[T]bool, one T) map[T]bool {
	set = maps.Clone(set)
	if set == nil {
		set = map[T]bool{}
	}
	set[one] = true
	return set
}

// Rebuild folds a version anew from the beginning of the log. Version is one more
// than the newest; asking for one that was ordered before changes nothing.
type Rebuild struct {
	events.Order

	Version int
	Held    bool // it does not take over by itself
}

// Stream is the projection's own.
func (c Rebuild) Stream() events.StreamName { return events.ProjectionStream(c.Projection) }

// Decide orders the version unless it was ordered before.
func (c Rebuild) Decide(p Projection) ([]events.ProjectionEvent, error) {
	switch {
	case c.Version <= p.Newest():
		return nil, nil
	case c.Version > p.Newest()+1:
		return nil, refuse(CodeVersionNotFound, "the next version is %d", p.Newest()+1)
	}
	return []events.ProjectionEvent{events.RebuildOrdered(c)}, nil
}

// Activate wants a version to serve readers.
type Activate struct {
	events.Order

	Version int
}

// Stream is the projection's own.
func (c Activate) Stream() events.StreamName { return events.ProjectionStream(c.Projection) }

// Decide wants the version unless it is wanted already.
func (c Activate) Decide(p Projection) ([]events.ProjectionEvent, error) {
	switch {
	case !p.Has(c.Version):
		return nil, noVersion(c.Version)
	case p.Target() == c.Version:
		return nil, nil
	}
	return []events.ProjectionEvent{events.VersionActivated(c)}, nil
}

func noVersion(version int) *Refusal {
	return refuse(CodeVersionNotFound, "there is no version %d, or no more", version)
}

// Drop lets a version's tables go.
type Drop struct {
	events.Order

	Version int
}

// Stream is the projection's own.
func (c Drop) Stream() events.StreamName { return events.ProjectionStream(c.Projection) }

// Decide drops a version that is not wanted, once.
func (c Drop) Decide(p Projection) ([]events.ProjectionEvent, error) {
	switch {
	case p.dropped[c.Version]:
		return nil, nil
	case !p.Has(c.Version):
		return nil, noVersion(c.Version)
	case p.Target() == c.Version:
		return nil, refuse(CodeVersionWanted, "version %d serves readers or is about to: activate another one first", c.Version)
	}
	return []events.ProjectionEvent{events.VersionDropped(c)}, nil
}

// Pause stops folding.
type Pause struct{ events.Order }

// Stream is the projection's own.
func (c Pause) Stream() events.StreamName { return events.ProjectionStream(c.Projection) }

// Decide pauses what is not paused.
func (c Pause) Decide(p Projection) ([]events.ProjectionEvent, error) {
	if p.Paused {
		return nil, nil
	}
	return []events.ProjectionEvent{events.ProjectionPaused(c)}, nil
}

// Resume goes on folding.
type Resume struct{ events.Order }

// Stream is the projection's own.
func (c Resume) Stream() events.StreamName { return events.ProjectionStream(c.Projection) }

// Decide resumes what is paused.
func (c Resume) Decide(p Projection) ([]events.ProjectionEvent, error) {
	if !p.Paused {
		return nil, nil
	}
	return []events.ProjectionEvent{events.ProjectionResumed(c)}, nil
}

// Skip has every version pass over an event. Whether one is halted there is for
// the caller to know: deciding never looks at read models.
type Skip struct {
	events.Order

	Position events.Position
}

// Stream is the projection's own.
func (c Skip) Stream() events.StreamName { return events.ProjectionStream(c.Projection) }

// Decide skips a position once.
func (c Skip) Decide(p Projection) ([]events.ProjectionEvent, error) {
	if p.Skipped[c.Position] {
		return nil, nil
	}
	return []events.ProjectionEvent{events.EventSkipped(c)}, nil
}
