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

// TestPagesAreStableWhileMoreArrives reads an inbox page by page while the
// projection goes on, and wants what was there at the first page, once each.
func TestPagesAreStableWhileMoreArrives(t *testing.T) {
	t.Parallel()
	url, pool := database(t)
	q := queries.New(pool, queries.Options{Now: func() time.Time { return now }, Poll: time.Millisecond})
	w := &writer{gap: func() uint64 { return 3 }}
	w.add(events.StoreNamed{StoreID: storeID})
	w.add(events.Subscribed{User: "alice", Topic: "builds"})
	arrive := func(n int) {
		for range n {
			w.add(events.Published{
				NotificationID: uuid.NewSHA1(storeID, fmt.Append(nil, len(w.log))),
				To:             []events.Target{{Topic: "builds"}}, Content: events.Content{Title: "done"},
			})
		}
		project(t.Context(), t, url, q, w.log, len(w.log)%2, inbox.Retention{}, 0) // joined and stored in turn
	}
	arrive(10)
	want := fold(w.log).inbox(queries.InboxQuery{User: "alice"}, now)
	ask := queries.InboxQuery{User: "alice", Limit: 3}
	var got []events.Position
	for {
		page, err := q.Inbox(t.Context(), ask)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			got = append(got, item.Position)
		}
		if ask.Cursor = page.NextCursor; ask.Cursor == "" {
			break
		}
		arrive(2)
	}
	var positions []events.Position
	for _, item := range want {
		positions = append(positions, item.Position)
	}
	if !slices.Equal(got, positions) {
		t.Errorf("got %v, want %v", got, positions)
	}
}
