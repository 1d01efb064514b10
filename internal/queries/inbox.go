package queries

import (
	"context"
	"fmt"
	"time"

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
}

// InboxPage is a page of an inbox, newest first.
type InboxPage = Page[inbox.Item]

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
	sql, args := ask.statement(below, q.now())
	return pageQuery[inbox.Item]{
		doing: doing, list: inboxList, limit: ask.Limit, demands: demands, sql: sql, args: args,
		scan: func(r row) (inbox.Item, error) { return scanItem(r, ask.User) },
		last: func(i inbox.Item) string { return i.Position.String() },
	}.read(ctx, q)
}

// statement picks the walk that touches the least: along the user's marks where
// only marked items are asked for, otherwise along what they received.
func (a InboxQuery) statement(below events.Position, now time.Time) (sql string, args []any) {
	args = []any{string(a.User), uint64(below), a.Limit + 1, now, severity(a.Severity)}
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
