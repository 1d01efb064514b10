package projections

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/postgres"
	"github.com/tidings-io/tidings/internal/queries"
)

// TestWhatWasSeenIsSeenAfterASwitch: whoever demands a position that anybody has
// seen gets an answer from there on, at once, while versions take each other's place.
func TestWhatWasSeenIsSeenAfterASwitch(t *testing.T) {
	long(t)
	t.Parallel()
	log := crowded(t)
	url := postgres.Fresh(t)
	conn := dial(t, url)
	keep(t, newVersions(url, log))
	awaitRegistry(t, conn, "1 serving running")
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	defer readers.Wait()
	defer stop()
	q, seen := queries.New(pool, queries.Options{}), new(highest)
	for n := range 6 {
		readers.Go(func() { demandOn(ctx, t, q, seen, n%2 == 0) })
	}
	readers.Go(func() {
		for n := 100; ctx.Err() == nil; n++ {
			log.append(t, publish(n, events.SeverityNormal, "topic:a"))
			sleep(ctx, 5*time.Millisecond)
		}
	})
	log.order(t, rebuilt(2))
	awaitRegistry(t, conn, "1 kept, 2 serving running")
	for n := range 4 {
		to := n%2 + 1
		log.order(t, events.VersionActivated{Order: ordered, Version: to})
		awaitRegistry(t, conn, []string{"", "1 serving running, 2 kept", "1 kept, 2 serving running"}[to])
	}
}

// highest is the highest position that any of several has seen.
type highest struct{ at atomic.Uint64 }

func (h *highest) saw(at events.Position) {
	for {
		before := h.at.Load()
		if before >= uint64(at) || h.at.CompareAndSwap(before, uint64(at)) {
			return
		}
	}
}

// demandOn asks until ctx ends, in one statement or in several of one snapshot.
func demandOn(ctx context.Context, t *testing.T, q *queries.Queries, seen *highest, snapshot bool) {
	for ctx.Err() == nil {
		demand := queries.AtLeast(seen.at.Load())
		at, err := demandOnce(ctx, q, snapshot, demand)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			t.Errorf("in a snapshot: %v: %v", snapshot, err)
			return
		case at < events.Position(demand):
			t.Errorf("in a snapshot: %v: got position %s, demanded %s", snapshot, at, events.Position(demand))
			return
		}
		seen.saw(at)
	}
}

func demandOnce(ctx context.Context, q *queries.Queries, snapshot bool, demand queries.AtLeast) (events.Position, error) {
	if !snapshot {
		counts, err := q.Counts(ctx, "u01", queries.AsOf{}, demand)
		return counts.Position, err
	}
	page, err := q.Inbox(ctx, queries.InboxQuery{User: "u01", Limit: 20, Counts: true}, demand)
	if err == nil && len(page.Items) < 2 {
		err = fmt.Errorf("only %d items at %s", len(page.Items), page.Position)
	}
	return page.Position, err
}
