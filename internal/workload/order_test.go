package workload

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// mustPrecede is the rule, written without regard to speed.
func mustPrecede(earlier, later *Op) bool {
	if earlier.Kind != Publish && later.Kind != Publish {
		return earlier.pair() == later.pair()
	}
	return slices.ContainsFunc(topicsOf(earlier), func(topic string) bool { return slices.Contains(topicsOf(later), topic) })
}

func topicsOf(op *Op) []string {
	if op.Kind == Publish {
		return op.Topics
	}
	return []string{op.Topic}
}

func TestOrderNeverReadiesAnOpBeforeThoseItFollowsAndReadiesAll(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ops := drawOps(t)
		o := newOrder()
		var ready []*node
		done := make([]bool, len(ops))
		next, finished := 0, 0
		for finished < len(ops) {
			// Add the next op, or finish any that is ready, whichever is drawn.
			if next < len(ops) && (len(ready) == 0 || rapid.Bool().Draw(t, "add")) {
				if n := o.add(&ops[next]); n.waitFor == 0 {
					ready = append(ready, n)
				}
				next++
				continue
			}
			if len(ready) == 0 {
				t.Fatalf("got %d of %d ops done and none ready", finished, len(ops))
			}
			at := rapid.IntRange(0, len(ready)-1).Draw(t, "finish")
			n := ready[at]
			for i := range n.op.Line - 1 {
				if !done[i] && mustPrecede(&ops[i], n.op) {
					t.Fatalf("got %s ready before %s is done", n.op, &ops[i])
				}
			}
			ready = slices.Delete(ready, at, at+1)
			done[n.op.Line-1] = true
			finished++
			ready = append(ready, o.done(n)...)
		}
		checkForgotten(t, o)
	})
}

func TestOrderLetsUnrelatedOpsRunAtOnce(t *testing.T) {
	t.Parallel()
	o := newOrder()
	ops := numbered([]Op{
		{Kind: Subscribe, User: "a", Topic: "x"},
		{Kind: Subscribe, User: "b", Topic: "x"},
		{Kind: Publish, ID: "1", Topics: []string{"y"}},
		{Kind: Subscribe, User: "a", Topic: "z"},
	})
	for i := range ops {
		if got := o.add(&ops[i]).waitFor; got != 0 {
			t.Errorf("%s: got it waiting for %d ops, want none", &ops[i], got)
		}
	}
}

// checkForgotten makes sure that done ops cost no memory.
func checkForgotten(t *rapid.T, o *order) {
	if len(o.pairs) != 0 {
		t.Fatalf("got %d pairs remembered, want none", len(o.pairs))
	}
	for name, topic := range o.topics {
		if topic.publish != nil || len(topic.changes) != 0 {
			t.Fatalf("got ops of topic %s remembered, want none", name)
		}
	}
}

// drawOps draws few names, so that ops meet often.
func drawOps(t *rapid.T) []Op {
	name := func(kind string, n int) *rapid.Generator[string] {
		return rapid.Map(rapid.IntRange(1, n), func(i int) string { return fmt.Sprintf("%s%d", kind, i) })
	}
	count := rapid.IntRange(1, 60).Draw(t, "ops")
	ops := make([]Op, count)
	for i := range ops {
		kind := rapid.SampledFrom([]Kind{Subscribe, Unsubscribe, Publish, Publish}).Draw(t, "kind")
		if kind == Publish {
			ops[i] = Op{
				Kind: kind, ID: fmt.Sprintf("p%d", i), Sender: "s", Severity: "normal", Title: "t",
				Topics: rapid.SliceOfNDistinct(name("t/", 4), 1, 3, rapid.ID[string]).Draw(t, "topics"),
			}
			continue
		}
		ops[i] = Op{Kind: kind, User: name("u", 4).Draw(t, "user"), Topic: name("t/", 4).Draw(t, "topic")}
	}
	return numbered(ops)
}

func numbered(ops []Op) []Op {
	for i := range ops {
		ops[i].Line = i + 1
	}
	return ops
}
