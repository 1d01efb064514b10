package live

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidings-io/tidings/internal/events"
)

// TestACrowd: readers of a few users come, read and leave, all at once and each at
// its own pace, while notifications are published and the projector follows.
// Each is told every notification, once, in order.
func TestACrowd(t *testing.T) {
	t.Parallel()
	const readers, notifications = 24, 600
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		users := []events.User{"ann", "bob", "carl"}
		for _, user := range users {
			w.all(subscribed(user, "a", 0))
		}
		hubs := []*Hub{
			w.hub(Limits{WindowEvents: 40, QueueFrames: 8, page: 16, join: 4}), w.hub(Limits{QueueFrames: 16, page: 64}),
		}
		for _, h := range hubs {
			run(t, h)
		}
		synctest.Wait()
		var crowd sync.WaitGroup
		for i := range readers {
			crowd.Go(func() {
				if failure := stroll(t.Context(), hubs, users[i%len(users)], notifications); failure != "" {
					t.Errorf("reader %d: %s", i, failure)
				}
			})
		}
		crowd.Go(func() {
			for i := range notifications {
				at := w.append(published(i+1, 0, "topic:a"), 0)
				if rand.N(4) == 0 {
					w.project(at - min(at, events.Position(rand.N(30))))
				}
				if rand.N(10) == 0 {
					time.Sleep(50 * time.Millisecond)
				}
			}
		})
		crowd.Wait()
	})
}

// stroll follows a user's inbox until it was told as much, over many connections.
func stroll(ctx context.Context, hubs []*Hub, user events.User, upTo int) string {
	id, told := Earliest, 0
	for told < upTo {
		f, err := hubs[rand.N(len(hubs))].Follow(ctx, FollowRequest{User: user, LastEventID: id})
		if err != nil {
			return err.Error()
		}
		for range rand.N(20) {
			frames, err := f.Next(ctx, 100*time.Millisecond)
			if err != nil {
				f.Close()
				return err.Error()
			}
			for _, frame := range frames {
				told++
				// Three subscriptions stand before the first of the notifications.
				if want := events.Position(told + len("abc")); frame.Position != want {
					f.Close()
					return fmt.Sprintf("%s was told %d, not %d", user, frame.Position, want)
				}
				id = frame.Position.String()
			}
			if rand.N(3) == 0 {
				time.Sleep(time.Duration(rand.N(200)) * time.Millisecond)
			}
		}
		f.Close()
	}
	return ""
}
