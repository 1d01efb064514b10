package node_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// application is what a program does that outlives its event store: it subscribes again from where it has come to, with a new client, and
// sends an append again, with the same ids, until it is answered.
type application struct {
	node *durable
	ctx  context.Context
}

// write appends one event, once.
func (a *application) write(stream string, n int) error {
	event := proposal("x")
	for a.ctx.Err() == nil {
		client, err := a.node.newClient()
		if err != nil {
			return err
		}
		deadline := time.Second
		expected := esdb.ExpectedRevision(esdb.NoStream{})
		if n > 0 {
			expected = esdb.Revision(uint64(n - 1))
		}
		result, err := client.AppendToStream(a.ctx, stream, esdb.AppendToStreamOptions{ExpectedRevision: expected, Deadline: &deadline}, event)
		_ = client.Close()
		switch {
		case err == nil && result.NextExpectedVersion != uint64(n):
			return fmt.Errorf("%s: revision %d, want %d", stream, result.NextExpectedVersion, n)
		case err == nil:
			return nil
		case codeOf(err) == esdb.ErrorCodeWrongExpectedVersion:
			return fmt.Errorf("%s: revision %d: %w", stream, n, err) // so the repeat was not recognized
		}
	}
	return a.ctx.Err()
}

// resuming is a subscription and where it has come to.
type resuming struct {
	what     string
	position uint64 // of the last event or checkpoint; 0: nothing yet
	revision int64  // of the last event
	heard    []uint64
	drops    int
}

func (r *resuming) subscribe(ctx context.Context, client *esdb.Client) (*esdb.Subscription, error) {
	from := esdb.AllPosition(esdb.Start{})
	if r.position > 0 {
		from = esdb.Position{Commit: r.position, Prepare: r.position}
	}
	switch r.what {
	case "stream":
		from := esdb.StreamPosition(esdb.Start{})
		if r.revision >= 0 {
			from = esdb.Revision(uint64(r.revision))
		}
		return client.SubscribeToStream(ctx, "s0", esdb.SubscribeToStreamOptions{From: from})
	case "filtered":
		return client.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: from, Filter: byStream("s1"), MaxSearchWindow: 3, CheckpointInterval: 1})
	}
	return client.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: from})
}

// follow hears until it has so many events, through any number of drops.
func (a *application) follow(r *resuming, events int) {
	for a.ctx.Err() == nil && len(r.heard) < events {
		client, err := a.node.newClient()
		if err != nil {
			return
		}
		if subscription, err := r.subscribe(a.ctx, client); err == nil {
			stop := context.AfterFunc(a.ctx, func() { _ = subscription.Close() })
			r.hear(subscription, events)
			stop()
			_ = subscription.Close()
		}
		_ = client.Close()
	}
}

func (r *resuming) hear(subscription *esdb.Subscription, events int) {
	for len(r.heard) < events {
		message := subscription.Recv()
		switch {
		case message.SubscriptionDropped != nil:
			r.drops++
			return
		case message.EventAppeared != nil:
			e := message.EventAppeared.OriginalEvent()
			r.position, r.revision = e.Position.Commit, int64(e.EventNumber)
			r.heard = append(r.heard, r.position)
		case message.CheckPointReached != nil:
			r.position = message.CheckPointReached.Commit
		}
	}
}

// TestRestartWithSubscriptionsOpen stops the node and opens it again while writers write and subscribers follow: all of them go on by
// themselves, and nothing is lost or repeated.
func TestRestartWithSubscriptionsOpen(t *testing.T) {
	t.Parallel()
	const writers, each, restarts = 3, 60, 3
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	a := &application{node: startDurable(t), ctx: ctx}
	var group sync.WaitGroup
	written := make(chan struct{}, writers*each)
	for w := range writers {
		group.Go(func() {
			for n := range each {
				if err := a.write(fmt.Sprint("s", w), n); err != nil {
					t.Error(err)
					cancel()
					return
				}
				written <- struct{}{}
			}
		})
	}
	subscribers := []*resuming{{what: "all", revision: -1}, {what: "stream", revision: -1}, {what: "filtered", revision: -1}}
	want := []int{writers * each, each, each}
	for i, r := range subscribers {
		group.Go(func() { a.follow(r, want[i]) })
	}
	for range restarts {
		for range writers * each / (restarts + 1) {
			select {
			case <-written:
			case <-ctx.Done():
				t.Fatal("the writers have come to a halt")
			}
		}
		a.node.reopen()
	}
	group.Wait()

	client, err := a.node.newClient()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	stored := map[string][]uint64{}
	all, err := client.ReadAll(t.Context(), esdb.ReadAllOptions{From: esdb.Start{}}, 1<<32)
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	for {
		event, err := all.Recv()
		if err != nil {
			break
		}
		e := event.OriginalEvent()
		stored["all"] = append(stored["all"], e.Position.Commit)
		stored[e.StreamID] = append(stored[e.StreamID], e.Position.Commit)
	}
	if got := len(stored["all"]); got != writers*each {
		t.Errorf("%d events are stored, %d were written", got, writers*each)
	}
	for i, name := range []string{"all", "s0", "s1"} {
		if r := subscribers[i]; !slices.Equal(r.heard, stored[name]) {
			t.Errorf("the subscriber to %s heard %v, stored is %v", r.what, r.heard, stored[name])
		} else if r.drops == 0 {
			t.Errorf("the subscriber to %s was never dropped", r.what)
		}
	}
}
