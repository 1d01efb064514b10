package queries

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
)

// head is how far the tables reach, forwards and backwards, and how long inboxes
// keep what they hold.
type head struct {
	position events.Position
	events   int64
	from     events.Position // answers as of less come from the log,
	since    time.Time       // as do those of an earlier time
	keep     inbox.Retention
}

func (h *head) scan(r pgx.Row) error {
	var seconds int64
	err := r.Scan(&h.position, &h.events, &h.from, &h.since, &seconds, &h.keep.Items)
	h.keep.Age = time.Duration(seconds) * time.Second
	return err
}

// tell says whether the tables still hold all that an answer of this moment needs.
func (h *head) tell(m moment) bool { return m.position >= h.from && !m.at.Before(h.since) }

// past answers of a moment.
type past struct {
	moment
	head

	q       *Queries
	user    events.User
	demands []AtLeast
	// tx is where the tables are read, and marked what the user had done by then;
	// book is instead of both where the answer comes from the log.
	tx     pgx.Tx
	marked deeds
	book   *inbox.Book
}

func (q *Queries) pastInbox(ctx context.Context, doing string, ask InboxQuery, below events.Position, demands []AtLeast) (page InboxPage, err error) {
	err = q.past(ctx, doing, ask.User, ask.AsOf, demands, func(ctx context.Context, p *past) (err error) {
		page.Page, err = p.page(ctx, ask, below)
		if err == nil && ask.Counts {
			page.Counts = new(InboxCounts)
			*page.Counts, err = p.counts(ctx)
		}
		return err
	})
	return page, err
}

func (q *Queries) pastCounts(ctx context.Context, doing string, user events.User, of AsOf, demands []AtLeast) (counts Counts, err error) {
	err = q.past(ctx, doing, user, of, demands, func(ctx context.Context, p *past) (err error) {
		counts.Position = p.moment.position
		counts.InboxCounts, err = p.counts(ctx)
		return err
	})
	return counts, err
}

// past has an answer read from the tables, in one snapshot, or from the log where
// they no longer tell.
func (q *Queries) past(ctx context.Context, doing string, user events.User, of AsOf, demands []AtLeast, answer func(context.Context, *past) error) error {
	m, err := q.moment(ctx, of)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	p := &past{q: q, user: user, moment: m, demands: demands}
	told, err := p.fromTables(ctx, answer)
	if err == nil && !told {
		err = p.fromLog(ctx, answer)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

func (p *past) fromTables(ctx context.Context, answer func(context.Context, *past) error) (told bool, err error) {
	limited, cancel := context.WithTimeout(ctx, p.q.timeout)
	defer cancel()
	err = again(limited, func() error {
		return p.q.inOneSnapshot(limited, func(tx pgx.Tx) error {
			if err := p.head.scan(tx.QueryRow(limited, headSQL)); err != nil {
				return err
			}
			if err := check(p.head.position, append(p.demands, AtLeast(p.moment.position))); err != nil {
				return err
			}
			if told = p.tell(p.moment); !told {
				return nil
			}
			p.tx = tx
			if err := p.readMarks(limited); err != nil {
				return err
			}
			return answer(limited, p)
		})
	})
	return told, fault(ctx, "read the tables", err)
}

var (
	pastItemsSQL    = statement("past_items")
	pastChangesSQL  = statement("past_changes")
	pastContentsSQL = statement("past_contents")
)

// pastChunk is how many items are looked through at once for a page: most find
// theirs among the first.
const pastChunk = 500

// page looks for the items that are in a state, from the newest on.
func (p *past) page(ctx context.Context, ask InboxQuery, below events.Position) (Page[inbox.Item], error) {
	query := ask.page("", below, p.at, nil)
	page := query.empty()
	page.Position = p.moment.position
	if p.book != nil {
		page.Items = append(page.Items, ask.pick(p.book.Items(p.at, p.keep), below)...)
		query.cut(&page)
		return page, nil
	}
	picked := []entry{}
	for len(picked) <= ask.Limit {
		chunk, err := p.received(ctx, ask, below, pastChunk)
		if err != nil {
			return Page[inbox.Item]{}, err
		}
		for _, e := range chunk {
			if ask.State.has(e.marks) {
				picked = append(picked, e)
			}
			below = e.position
		}
		if len(chunk) < pastChunk {
			break
		}
	}
	err := p.contents(ctx, picked[:min(len(picked), ask.Limit+1)], query.into(&page))
	query.cut(&page)
	return page, err
}

// pick leaves the items below a position that are asked for.
func (a InboxQuery) pick(items []inbox.Item, below events.Position) []inbox.Item {
	picked := slices.DeleteFunc(items, func(i inbox.Item) bool {
		return i.Position >= below || !a.State.has(inbox.Marks{ReadAt: i.ReadAt, ArchivedAt: i.ArchivedAt}) ||
			a.Severity != nil && i.Severity != *a.Severity ||
			a.Topic != "" && !slices.Contains(i.To, events.Target{Topic: a.Topic})
	})
	return picked[:min(len(picked), a.Limit+1)]
}

// has says whether an item with these marks is in the state.
func (s State) has(m inbox.Marks) bool {
	switch s {
	case StateArchived:
		return m.ArchivedAt != nil && m.DeletedAt == nil
	case StateRead:
		return !m.Away() && m.ReadAt != nil
	case StateUnread:
		return !m.Away() && m.ReadAt == nil
	default:
		return !m.Away()
	}
}

func (p *past) counts(ctx context.Context) (counts InboxCounts, err error) {
	if p.book != nil {
		counts.Total, counts.Unread, counts.Unseen = p.book.Counts(p.at, p.keep)
		return counts, nil
	}
	all, err := p.received(ctx, InboxQuery{}, forEver, -1)
	for _, e := range all {
		if e.marks.Away() {
			continue
		}
		counts.Total++
		if e.marks.ReadAt == nil {
			counts.Unread++
		}
		if e.marks.SeenAt == nil {
			counts.Unseen++
		}
	}
	return counts, err
}

// entry is an item by its position, with its marks as of the moment.
type entry struct {
	position events.Position
	marks    inbox.Marks
}

// received are the newest n items below a position that the user had received and
// that were still there for them but for what they did to them; all when n is -1.
func (p *past) received(ctx context.Context, ask InboxQuery, below events.Position, n int) ([]entry, error) {
	var most *int
	if n >= 0 {
		most = &n
	}
	rows, err := p.tx.Query(ctx, pastItemsSQL, string(p.user), p.at, uint64(p.moment.position), uint64(below), most,
		severity(ask.Severity), string(ask.Topic))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (e entry, err error) {
		err = r.Scan(&e.position)
		e.marks = p.marked.of(e.position)
		return e, err
	})
}

// contents gives each item's row to each, with its marks in it.
func (p *past) contents(ctx context.Context, picked []entry, each func(row) error) error {
	positions := make([]uint64, len(picked))
	for i, e := range picked {
		positions[i] = uint64(e.position)
	}
	rows, err := p.tx.Query(ctx, pastContentsSQL, positions)
	if err != nil {
		return err
	}
	_, err = scan(rows, nil, func(r row) error {
		m := picked[0].marks
		picked = picked[1:] // the rows are in the same order
		return each(func(columns ...any) error {
			marks := columns[len(columns)-3:]
			err := r(append(slices.Clone(columns[:len(columns)-3]), nil, nil, nil)...)
			for i, at := range []*time.Time{m.SeenAt, m.ReadAt, m.ArchivedAt} {
				*marks[i].(**time.Time) = at //nolint:forcetypeassert // as scanItem has them
			}
			return err
		})
	})
	return err
}
