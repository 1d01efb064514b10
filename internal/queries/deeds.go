package queries

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
)

// deed is one change that a user made.
type deed struct {
	position events.Position
	at       time.Time
	change   string
	through  events.Position
}

// deeds are what a user did to items up to a moment, in the order of the log: to
// those named, and to all through a position.
type deeds struct {
	named   map[events.Position][]deed
	through []deed
}

// of are the marks that come of all that was done to one item.
func (d deeds) of(item events.Position) (m inbox.Marks) {
	named := d.named[item]
	for _, t := range d.through {
		if t.position <= item || t.through < item {
			continue
		}
		for len(named) > 0 && named[0].position < t.position {
			m.Apply(named[0].change, named[0].at)
			named = named[1:]
		}
		m.Apply(t.change, t.at)
	}
	for _, n := range named {
		m.Apply(n.change, n.at)
	}
	return m
}

// readMarks reads what the user had done by the moment.
func (p *past) readMarks(ctx context.Context) error {
	rows, err := p.tx.Query(ctx, pastChangesSQL, string(p.user), uint64(p.moment.position))
	if err != nil {
		return err
	}
	p.marked = deeds{named: map[events.Position][]deed{}}
	var (
		d     deed
		items []events.Position
	)
	_, err = pgx.ForEachRow(rows, []any{&d.position, &d.at, &d.change, &d.through, &items}, func() error {
		d.at = d.at.UTC()
		if d.through > 0 {
			p.marked.through = append(p.marked.through, d)
		}
		for _, item := range items {
			if item < d.position { // named before it was published
				p.marked.named[item] = append(p.marked.named[item], d)
			}
		}
		return nil
	})
	return err
}
