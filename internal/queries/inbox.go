package queries

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
)

// State picks items of an inbox by what the user did to them. Deleted items are
// in none.
type State string

// The states.
const (
	StateAll      State = "all"      // not archived; also the zero value
	StateUnread   State = "unread"   // neither archived nor read
	StateRead     State = "read"     // read and not archived
	StateArchived State = "archived" // archived, read or not
)

// States are all states there are.
var States = []State{StateAll, StateUnread, StateRead, StateArchived}

// InboxQuery asks for a page of a user's inbox.
type InboxQuery struct {
	User   events.User
	Limit  int    // 1..100
	Cursor string // "" for the newest items
	State  State
	// Topic leaves only items addressed to this topic, by whichever target they
	// reached the user; "" leaves all.
	Topic events.Topic
	// Severity leaves only items of exactly this severity; nil leaves all.
	Severity *events.Severity
	// AsOf is when the answer is of; now when zero.
	AsOf AsOf
	// Counts asks for the counts of the whole inbox as well, whatever is picked.
	Counts bool
}

// InboxPage is a page of an inbox, newest first.
type InboxPage struct {
	Page[inbox.Item]

	// Counts are of the same snapshot as the page; nil when not asked for.
	Counts *InboxCounts `json:"counts,omitempty"`
}

var (
	inboxPageSQL   = statement("inbox_page")
	inboxTopicSQL  = statement("inbox_page_topic")
	inboxMarkedSQL = statement("inbox_page_marked")
)

// Inbox is a page of a user's inbox; a user nobody has heard of has an empty one.
// Pages are stable: what is published between two of them is in neither and moves
// nothing.
func (q *Queries) Inbox(ctx context.Context, ask InboxQuery, demands ...AtLeast) (InboxPage, error) {
	doing := fmt.Sprintf("read the inbox of %s", ask.User)
	if err := limit(ask.Limit, maxLimit); err != nil {
		return InboxPage{}, fmt.Errorf("%s: %w", doing, err)
	}
	below, err := inboxList.lastPosition(ask.Cursor)
	if err != nil {
		return InboxPage{}, fmt.Errorf("%s: %w", doing, err)
	}
	switch {
	case ask.AsOf != AsOf{}:
		return q.pastInbox(ctx, doing, ask, below, demands)
	case ask.Counts:
		return q.countedInbox(ctx, doing, ask, below, demands)
	}
	query := ask.page(doing, below, q.now(), demands)
	page, err := query.read(ctx, q)
	return InboxPage{Page: page}, err
}

// page is how the page below a position is read.
func (a InboxQuery) page(doing string, below events.Position, now time.Time, demands []AtLeast) pageQuery[inbox.Item] {
	sql, args := a.statement(below, now)
	return pageQuery[inbox.Item]{
		doing: doing, list: inboxList, limit: a.Limit, demands: demands, sql: sql, args: args,
		scan: func(r row) (inbox.Item, error) { return scanItem(r, a.User) },
		last: func(i inbox.Item) string { return i.Position.String() },
	}
}

// countedInbox reads a page and the counts in one snapshot.
func (q *Queries) countedInbox(ctx context.Context, doing string, ask InboxQuery, below events.Position, demands []AtLeast) (InboxPage, error) {
	limited, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	now := q.now()
	query := ask.page(doing, below, now, demands)
	answer := InboxPage{Page: query.empty(), Counts: new(InboxCounts)}
	read := func(tx pgx.Tx) error {
		b := new(pgx.Batch)
		b.Queue(query.sql, query.args...).Query(func(rows pgx.Rows) (err error) {
			answer.Position, err = scan(rows, demands, query.into(&answer.Page))
			return err
		})
		b.Queue(countsSQL, countsArgs(ask.User, now)...).Query(func(rows pgx.Rows) error {
			_, err := scan(rows, nil, answer.Counts.scan)
			return err
		})
		return tx.SendBatch(limited, b).Close()
	}
	err := again(limited, func() error { return q.inOneSnapshot(limited, read) })
	if err != nil {
		return InboxPage{}, fault(ctx, doing, err)
	}
	query.cut(&answer.Page)
	return answer, nil
}

// inOneSnapshot runs what only reads; all of it sees the same.
func (q *Queries) inOneSnapshot(ctx context.Context, read func(pgx.Tx) error) error {
	once := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return pgx.BeginTxFunc(ctx, q.pool, once, read)
}

// statement picks the walk that touches the least: along the user's marks where
// only marked items are asked for, otherwise along what they received.
func (a InboxQuery) statement(below events.Position, now time.Time) (sql string, args []any) {
	args = []any{string(a.User), now, uint64(forEver), uint64(below), a.Limit + 1, severity(a.Severity)}
	switch {
	case a.State == StateArchived, a.State == StateRead:
		return inboxMarkedSQL, append(args, a.State == StateArchived, string(a.Topic))
	case a.Topic != "":
		return inboxTopicSQL, append(args, a.State == StateUnread, string(a.Topic))
	default:
		return inboxPageSQL, append(args, a.State == StateUnread)
	}
}

// severity is a severity's number; nil asks nothing.
func severity(s *events.Severity) *uint8 {
	if s == nil {
		return nil
	}
	return new(uint8(*s))
}
