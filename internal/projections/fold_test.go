package projections

import (
	"slices"
	"testing"

	"github.com/tidings-io/tidings/internal/events"
)

func recordedAt(evs ...events.Event) []events.Recorded {
	all := make([]events.Recorded, len(evs))
	for i, e := range evs {
		all[i] = events.Recorded{Position: events.Position(10 * (i + 1)), At: epoch, Event: e}
	}
	return all
}

func TestABatchEndsBeforeItsFanOutIsTooMuchForATransaction(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		subscribers int64
		want        int
	}{
		"three fit":                            {maxFanOut / 3, 3},
		"two fit":                              {maxFanOut/3 + 1, 2},
		"one that is too large goes by itself": {maxFanOut * 2, 1},
		"what is not stored is not counted at all": {maxFanOut * 3, 4},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKnown()
			k.topics["a"] = &topic{id: 1, name: "a", subscribers: c.subscribers}
			k.topics["a"].add(&audience{id: 1, topic: k.topics["a"], subscribers: c.subscribers})
			f := newFold(maxFanOut*2, k)
			n, err := f.all(recordedAt(
				publish(1, 0, "topic:a"), publish(2, 0, "topic:a"), publish(3, 0, "topic:a"), publish(4, 0, "topic:a"),
			))
			if n != c.want || err != nil {
				t.Errorf("got %d events, %v, want %d", n, err, c.want)
			}
		})
	}
}

func TestSweepsLeaveOutWhatIsCoveredAlready(t *testing.T) {
	t.Parallel()
	through := func(at events.Position) events.Items { return events.Items{User: "ann", Through: at} }
	cases := map[string]struct {
		log  []events.Event
		want [][2]int64 // above, upto
	}{
		"again, lower, higher": {
			[]events.Event{
				events.ItemsRead{Items: through(5)}, events.ItemsRead{Items: through(5)},
				events.ItemsRead{Items: through(4)}, events.ItemsRead{Items: through(7)},
			},
			[][2]int64{{0, 5}, {5, 7}},
		},
		"after the opposite all of it again": {
			[]events.Event{
				events.ItemsRead{Items: through(5)}, events.ItemsUnread{Items: through(2)}, events.ItemsRead{Items: through(5)},
			},
			[][2]int64{{0, 5}, {0, 2}, {0, 5}},
		},
		"an opposite by ids counts as well": {
			[]events.Event{
				events.ItemsArchived{Items: through(5)},
				events.ItemsUnarchived{Items: events.Items{User: "ann", IDs: nil}},
				events.ItemsArchived{Items: through(5)},
			},
			[][2]int64{{0, 5}, {0, 5}},
		},
		"other users and other marks are their own": {
			[]events.Event{
				events.ItemsRead{Items: through(5)}, events.ItemsSeen{Items: through(5)},
				events.ItemsRead{Items: events.Items{User: "bob", Through: 5}},
			},
			[][2]int64{{0, 5}, {0, 5}, {0, 5}},
		},
		"never beyond the event itself": {
			[]events.Event{events.ItemsRead{Items: through(99)}, events.ItemsRead{Items: through(99)}},
			[][2]int64{{0, 9}, {9, 19}},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFold(0, newKnown())
			if _, err := f.all(recordedAt(c.log...)); err != nil {
				t.Fatal(err)
			}
			got := column(f.rows.swept, func(s sweep) [2]int64 { return [2]int64{s.above, s.upto} })
			if len(got) != len(c.want) {
				t.Fatalf("got %v, want %v", got, c.want)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("got %v, want %v", got, c.want)
				}
			}
		})
	}
}

func TestPlansAreMadeAnewAsTablesGrow(t *testing.T) {
	t.Parallel()
	var got []int
	for n := range 4000 {
		if (&writer{batches: n}).replan() {
			got = append(got, n)
		}
	}
	if want := []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3072}; !slices.Equal(got, want) {
		t.Errorf("got them after %v batches, want after %v", got, want)
	}
}
