package queries_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
	"github.com/tidings-io/tidings/internal/queries"
)

// TestUnreadOfWhoHasReadNearlyAll finds the one item that is unread, wherever it is,
// though counting says early that there can be none.
func TestUnreadOfWhoHasReadNearlyAll(t *testing.T) {
	t.Parallel()
	named, joined := []events.Target{{User: "alice"}}, []events.Target{{Topic: "builds"}}
	both := slices.Concat(named, joined)
	cases := map[string]struct {
		to     [][]events.Target // all of them are read
		unread int               // but this one, from the oldest on; -1 for none
		then   [][]events.Target // and these came later
		adjust string            // of the tables
		want   int
	}{
		"none of what is stored":   {to: [][]events.Target{named, named, named, named, named, named}, unread: -1},
		"none of what is joined":   {to: [][]events.Target{joined, joined, joined}, unread: -1},
		"none of what is both":     {to: [][]events.Target{both, both, joined, named}, unread: -1},
		"the oldest stored":        {to: [][]events.Target{named, named, named, named, named, named, named, named}, want: 1},
		"the oldest joined":        {to: [][]events.Target{joined, named, named, named, named, named, named, named}, want: 1},
		"a joined one that is new": {to: [][]events.Target{named, named, named, named, named}, unread: -1, then: [][]events.Target{joined}, want: 1},
		"a stored one that is new": {to: [][]events.Target{joined, joined, joined, joined}, unread: -1, then: [][]events.Target{named}, want: 1},
		"one that is both and new": {to: [][]events.Target{both, both, both, both}, unread: -1, then: [][]events.Target{both}, want: 1},
		"marks are left of rows that retention let go": {
			to:     [][]events.Target{named, named, named, named, named, named, named, named, named, named, named, named, named, named},
			unread: 7, want: 1,
			adjust: "delete from inbox where position < (select min(position) from inbox where position not in (select position from marks where read_at is not null)); update projections set keep_items = 7",
		},
	}
	for rule, c := range cases {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			url, pool := database(t)
			w := &writer{gap: func() uint64 { return 10 }}
			w.add(events.StoreNamed{StoreID: storeID})
			w.add(events.Subscribed{User: "alice", Topic: "builds"})
			publish := func(to []events.Target) uuid.UUID {
				id := notificationID(len(w.log))
				w.add(events.Published{NotificationID: id, To: to, Content: events.Content{Title: fmt.Sprint(len(w.log))}})
				return id
			}
			var ids []uuid.UUID
			for _, to := range c.to {
				ids = append(ids, publish(to))
			}
			w.add(events.ItemsRead{Items: events.Items{User: "alice", Through: w.log[len(w.log)-1].Position}})
			if c.unread >= 0 {
				w.add(events.ItemsUnread{Items: events.Items{User: "alice", IDs: ids[c.unread : c.unread+1]}})
			}
			for _, to := range c.then {
				publish(to)
			}
			q := queries.New(pool, queries.Options{Now: func() time.Time { return now }, Poll: time.Millisecond})
			project(t.Context(), t, url, q, w.log, 0, inbox.Retention{}, 0)
			if _, err := pool.Exec(t.Context(), c.adjust); err != nil {
				t.Fatal(err)
			}
			page, err := q.Inbox(t.Context(), queries.InboxQuery{User: "alice", Limit: 1, State: queries.StateUnread})
			if err != nil || len(page.Items) != c.want {
				t.Errorf("got %d items, %v, want %d", len(page.Items), err, c.want)
			}
		})
	}
}
