package workload

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheSameSeedGivesTheSameWorkload(t *testing.T) {
	t.Parallel()
	shape := Shape{Publishes: 200, Users: 40, Topics: 10}
	first, again, other := generated(t, 1, shape), generated(t, 1, shape), generated(t, 2, shape)
	if !bytes.Equal(written(t, again), written(t, first)) {
		t.Error("got two texts from one seed")
	}
	if other.Digest == first.Digest {
		t.Error("got one text from two seeds")
	}
}

func TestAGeneratedWorkloadIsInTheFormat(t *testing.T) {
	t.Parallel()
	w := generated(t, 3, Shape{Publishes: 500, Users: 100, Topics: 60})
	got, err := Read(bytes.NewReader(written(t, w)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, w); diff != "" {
		t.Errorf("written and read again (-got +want):\n%s", diff)
	}
	for i := range w.Ops[1:] {
		if w.Ops[i+1].At.Before(w.Ops[i].At) {
			t.Fatalf("got line %d before line %d in time", i+2, i+1)
		}
	}
}

func TestAGeneratedWorkloadResemblesThePublishedOne(t *testing.T) {
	t.Parallel()
	w := generated(t, 4, Shape{})
	got := Expect(w.Ops).Outcome
	for what, c := range map[string]struct{ got, low, high int }{
		"subscribes":           {got.Subscribes, 11_000, 14_000},
		"unsubscribes":         {got.Unsubscribes, 4_500, 5_500},
		"publishes":            {got.Publishes, DefaultPublishes, DefaultPublishes},
		"topics":               {got.Topics, 300, DefaultTopics + 1},
		"inbox items":          {got.InboxItems, 300_000, 450_000},
		"largest fan-out":      {got.LargestFanout, 2_500, DefaultUsers},
		"active subscriptions": {got.ActiveSubscriptions, 6_500, 8_000},
		"largest inbox":        {got.LargestInboxes[0].Items, 1_500, 6_000},
	} {
		if c.got < c.low || c.got > c.high {
			t.Errorf("%s: got %d, want %d to %d", what, c.got, c.low, c.high)
		}
	}
	checkKinds(t, w)
}

// checkKinds wants every kind of line that importers must bear.
func checkKinds(t *testing.T, w *Workload) {
	t.Helper()
	var several, escaped, idle int
	follow, member := map[string]bool{}, map[pair]bool{}
	for i := range w.Ops {
		op := &w.Ops[i]
		if op.Kind == Publish {
			if len(op.Topics) > 1 {
				several++
			}
			continue
		}
		if member[op.pair()] == (op.Kind == Subscribe) {
			idle++
		}
		member[op.pair()] = op.Kind == Subscribe
		if strings.ContainsAny(op.User+op.Topic, "ü도@+:") {
			escaped++
		}
		if op.Topic == announcements && op.Kind == Subscribe {
			follow[op.User] = true
		}
	}
	if several == 0 || escaped == 0 || idle == 0 {
		t.Errorf("got %d publishes to several topics, %d names to escape, %d idle lines, want some of each", several, escaped, idle)
	}
	if everybody := users(w.Ops); len(follow) != DefaultUsers || len(everybody) != DefaultUsers {
		t.Errorf("got %d of %d users following announcements, want all of %d", len(follow), len(everybody), DefaultUsers)
	}
}

func TestAWorkloadOfNothingIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := Generate(1, Shape{Publishes: -1}); err == nil {
		t.Error("got no error, want one")
	}
}

func TestExpectFollowsTheRule(t *testing.T) {
	t.Parallel()
	sub := func(user, topic string) Op { return Op{Kind: Subscribe, User: user, Topic: topic} }
	unsub := func(user, topic string) Op { return Op{Kind: Unsubscribe, User: user, Topic: topic} }
	pub := func(id string, topics ...string) Op { return Op{Kind: Publish, ID: id, Topics: topics} }
	for sentence, c := range map[string]struct {
		ops  []Op
		want map[string][]string
	}{
		"a publish reaches those subscribed before it": {[]Op{sub("a", "x"), pub("1", "x"), sub("b", "x")}, map[string][]string{"a": {"1"}}},
		"and not those who left":                       {[]Op{sub("a", "x"), unsub("a", "x"), pub("1", "x")}, map[string][]string{}},
		"nor those of another topic":                   {[]Op{sub("a", "x"), pub("1", "y")}, map[string][]string{}},
		"who is reached several ways gets it once":     {[]Op{sub("a", "x"), sub("a", "y"), pub("1", "x", "y")}, map[string][]string{"a": {"1"}}},
		"a repeat changes nothing":                     {[]Op{sub("a", "x"), sub("a", "x"), unsub("a", "x"), pub("1", "x")}, map[string][]string{}},
		"the inbox is in the file's order":             {[]Op{sub("a", "x"), pub("2", "x"), pub("1", "x")}, map[string][]string{"a": {"2", "1"}}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(Expect(c.ops).Inboxes, c.want); diff != "" {
				t.Errorf("inboxes (-got +want):\n%s", diff)
			}
		})
	}
}
