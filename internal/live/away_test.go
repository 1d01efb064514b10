package live

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidings-io/tidings/internal/events"
)

// TestWhatChangedWhileAwayHoldsAtItsPosition: a reader leaves, another device
// changes what it wants, and it comes back, to a read model that has seen all of
// it, some of it or none.
func TestWhatChangedWhileAwayHoldsAtItsPosition(t *testing.T) {
	t.Parallel()
	away := map[string]struct {
		log  []events.Event // from position 2 on
		want []string
	}{
		"muting a topic": {
			log:  []events.Event{published(2, 0, "topic:a"), muted("ann", "a"), published(4, 0, "topic:a"), muted("ann"), published(6, 0, "topic:a")},
			want: []string{"2 message n2", "6 message n6"},
		},
		"a filter": {
			log: []events.Event{
				published(2, 0, "topic:a"), events.SubscriptionChanged{User: "ann", Topic: "a", Rules: events.Rules{Filter: "title.endsWith('1')"}},
				published(4, 0, "topic:a"), published(21, 0, "topic:a"), events.SubscriptionChanged{User: "ann", Topic: "a"},
				published(7, 0, "topic:a"),
			},
			want: []string{"2 message n2", "5 message n21", "7 message n7"},
		},
		"a retraction": {
			log: []events.Event{
				published(2, 0, "topic:a"), muted("ann", "a"), published(4, 0, "topic:a"), retracted(2, 2, 0, "topic:a"), retracted(4, 4, 0, "topic:a"),
			},
			want: []string{`5 retracted {"id":"00000000-0000-0000-0000-000000000002"}`},
		},
	}
	seen := map[string]struct {
		below  int // how far the read model is behind
		limits Limits
	}{
		"from tables that have seen it":   {},
		"from tables that have seen half": {below: 2},
		"from the window":                 {below: 9},
		"from the log":                    {below: 9, limits: Limits{WindowEvents: 1, GapWait: time.Millisecond}},
	}
	for what, c := range away {
		for from, s := range seen {
			t.Run(what+" "+from, func(t *testing.T) {
				t.Parallel()
				bubble(t, s.limits, func(t *testing.T, w *world, h *Hub) {
					first := w.all(subscribed("ann", "a", 0))
					synctest.Wait()
					follow(t, h, FollowRequest{User: "ann"}) // a tab that stays
					head := w.all(c.log...)
					w.project(max(first, head-min(head, events.Position(s.below))))
					synctest.Wait()
					back := follow(t, h, FollowRequest{User: "ann", LastEventID: first.String()})
					equal(t, short(next(t, back)), c.want)
					equal(t, h.check(w), "")
				})
			})
		}
	}
}
