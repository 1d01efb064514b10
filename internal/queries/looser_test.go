package queries_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
	"github.com/tidings-io/tidings/internal/projections"
	"github.com/tidings-io/tidings/internal/queries"
)

// TestALooserRetentionRevivesNothing: what was deleted of an inbox while less was
// kept stays hidden when more is, stored or joined: without its marks it would come
// back unread, and what its user had deleted would come back at all.
func TestALooserRetentionRevivesNothing(t *testing.T) {
	t.Parallel()
	for name, storeLimit := range map[string]int{"stored": never, "joined": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, pool := database(t)
			q := queries.New(pool, queries.Options{})
			w := &writer{gap: func() uint64 { return 10 }}
			w.add(events.StoreNamed{StoreID: storeID})
			w.add(events.Subscribed{User: "alice", Topic: "builds"})
			var ids []uuid.UUID
			for n := range 10 {
				id := uuid.NewSHA1(uuid.Nil, []byte{byte(n)})
				ids = append(ids, id)
				w.add(events.Published{NotificationID: id, To: []events.Target{{Topic: "builds"}}, Content: events.Content{Title: "t"}})
			}
			w.add(events.ItemsDeleted{Items: events.Items{User: "alice", IDs: ids[:3]}})
			w.add(events.ItemsRead{Items: events.Items{User: "alice", IDs: ids[3:9]}})
			w.add(events.ItemsArchived{Items: events.Items{User: "alice", IDs: ids[6:7]}})
			project(t.Context(), t, url, q, w.log, storeLimit, inbox.Retention{}, time.Hour)

			w.add(events.TopicDescribed{Topic: "builds", Description: "something to fold"})
			cleanUntil(t, url, w.log, projections.Retention{KeepItems: 2, KeepHistory: time.Nanosecond}, func(ctx context.Context) bool {
				var marks int
				return pool.QueryRow(ctx, "select count(*) from marks").Scan(&marks) == nil && marks <= 1
			})
			w.add(events.TopicDescribed{Topic: "builds", Description: "more is kept from here on"})
			project(t.Context(), t, url, q, w.log, storeLimit, inbox.Retention{}, time.Hour)
			page, err := q.Inbox(t.Context(), queries.InboxQuery{User: "alice", Limit: 100, Counts: true})
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Items) != 2 || page.Items[0].ID != ids[9] || page.Items[1].ID != ids[8] || page.Items[1].ReadAt == nil {
				t.Errorf("got %d items: %+v, want the two that were never let go, the older one read", len(page.Items), page.Items)
			}
			if want := (queries.InboxCounts{Total: 2, Unread: 1, Unseen: 2}); *page.Counts != want {
				t.Errorf("got counts %+v, want %+v", *page.Counts, want)
			}
			whole, err := q.Whole(t.Context(), "alice")
			if err != nil || len(whole.Items) != 2 || whole.Keep.Above == 0 {
				t.Errorf("got %d items above %s, %v, as a whole, want 2 above where it was cleaned", len(whole.Items), whole.Keep.Above, err)
			}
			unread, err := q.Inbox(t.Context(), queries.InboxQuery{User: "alice", Limit: 100, State: queries.StateUnread})
			if err != nil || len(unread.Items) != 1 {
				t.Errorf("got %d unread items, %v, want 1", len(unread.Items), err)
			}
		})
	}
}

// cleanUntil lets the projection run with a retention until it has deleted enough.
func cleanUntil(t *testing.T, url string, log written, keep projections.Retention, enough func(context.Context) bool) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	projector := projections.Inbox{
		DatabaseURL: url, Source: log, StoreLimit: never, Retention: keep,
		StoreID: func(context.Context) (uuid.UUID, error) { return storeID, nil },
	}
	ran := make(chan error, 1)
	go func() { ran <- projector.Run(ctx) }()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for !enough(ctx) {
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatal("nothing was deleted in time")
		}
	}
	stop()
	if err := <-ran; err != nil {
		t.Fatal(err)
	}
}
