package workload

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestALineWithoutAnEventIsDoneWhenOneThatFollowedItIs(t *testing.T) {
	t.Parallel()
	sub := Op{Kind: Subscribe, User: "a", Topic: "x"}
	unsub := Op{Kind: Unsubscribe, User: "a", Topic: "x"}
	pub := Op{Kind: Publish, ID: "p", Topics: []string{"x", "y"}}
	other := Op{Kind: Publish, ID: "q", Topics: []string{"z"}}
	for sentence, c := range map[string]struct {
		ops        []Op
		done, want []bool
	}{
		"a later change of the pair vouches for it":        {[]Op{sub, sub, unsub}, []bool{true, false, true}, []bool{true, true, true}},
		"also over several":                                {[]Op{sub, sub, sub, unsub}, []bool{true, false, false, true}, []bool{true, true, true, true}},
		"a later publish to the topic does":                {[]Op{sub, sub, pub}, []bool{true, false, true}, []bool{true, true, true}},
		"a publish to another topic does not":              {[]Op{sub, sub, other}, []bool{true, false, true}, []bool{true, false, true}},
		"a publish that is not done does not":              {[]Op{sub, sub, pub}, []bool{true, false, false}, []bool{true, false, false}},
		"an earlier change does not":                       {[]Op{sub, sub}, []bool{true, false}, []bool{true, false}},
		"a publish without an event is asked for again":    {[]Op{pub, sub, unsub}, []bool{false, true, true}, []bool{false, true, true}},
		"a change of somebody else says nothing about it":  {[]Op{sub, {Kind: Subscribe, User: "b", Topic: "x"}}, []bool{false, true}, []bool{false, true}},
		"a change elsewhere of the same user does neither": {[]Op{sub, {Kind: Subscribe, User: "a", Topic: "y"}}, []bool{false, true}, []bool{false, true}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			p := &progressSoFar{done: c.done}
			p.inferChanges(numbered(c.ops))
			if diff := cmp.Diff(p.done, c.want); diff != "" {
				t.Errorf("done (-got +want):\n%s", diff)
			}
		})
	}
}

func TestEventsOfOthersAreNotThisWorkloads(t *testing.T) {
	t.Parallel()
	w := generated(t, 1, Shape{Publishes: 2, Users: 1, Topics: 1})
	for sentence, c := range map[string]struct {
		correlation, position string
		fails                 bool
		done                  int
	}{
		"a line's own":                    {w.correlation(1), "10", false, 1},
		"another request":                 {"0b1d0b1d", "10", false, 0},
		"another workload":                {"import-0123456789abcdef-1", "10", false, 0},
		"a line the workload lacks":       {w.correlation(999), "10", true, 0},
		"a line that is none":             {w.correlationPrefix() + "x", "10", true, 0},
		"a position that is not a number": {w.correlation(1), "C:1/P:1", true, 0},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			p := &progressSoFar{done: make([]bool, len(w.Ops)), notifications: map[string]string{}}
			e := auditEvent{Stream: "notification-n", Position: c.position}
			e.Metadata.CorrelationID = c.correlation
			if err := p.note(w, &e); (err != nil) != c.fails {
				t.Errorf("got error %v, want one: %t", err, c.fails)
			}
			got := 0
			for _, done := range p.done {
				if done {
					got++
				}
			}
			if got != c.done {
				t.Errorf("got %d lines done, want %d", got, c.done)
			}
		})
	}
}
