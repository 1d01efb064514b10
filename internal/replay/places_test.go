package replay

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// TestWhatAMarkCovers in the other instance is what it covered here: nothing published after it, whatever it names.
func TestWhatAMarkCovers(t *testing.T) {
	t.Parallel()
	a, b, c, unknown := uuid.UUID{1}, uuid.UUID{2}, uuid.UUID{3}, uuid.UUID{4}
	aThere, bThere, cThere := uuid.UUID{11}, uuid.UUID{12}, uuid.UUID{13}
	var known places
	known.add(a, 10, aThere, 100)
	known.add(c, 30, cThere, 300)
	known.add(b, 20, bThere, 200) // it had been refused, and was not the second time
	known.add(a, 10, aThere, 100) // it was played again
	const at = 25                 // the mark's own position
	for rule, m := range map[string]struct {
		fact fact
		want map[string]any // nil: nothing to do
	}{
		"ids are mapped":                           {fact{IDs: []uuid.UUID{b, a}}, map[string]any{"ids": []uuid.UUID{bThere, aThere}}},
		"one published later is not covered":       {fact{IDs: []uuid.UUID{c, a}}, map[string]any{"ids": []uuid.UUID{aThere}}},
		"one that was not replayed is not there":   {fact{IDs: []uuid.UUID{unknown}}, nil},
		"through a publish":                        {fact{Through: 20}, map[string]any{"through": "200"}},
		"through what lies between two":            {fact{Through: 19}, map[string]any{"through": "100"}},
		"through more than there was":              {fact{Through: 1000}, map[string]any{"through": "200"}},
		"through what lies before the first":       {fact{Through: 9}, nil},
		"neither ids nor through is about nothing": {fact{}, nil},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			s := step{event: Event{Position: at}, fact: m.fact}
			got, something := s.items(&known)
			if something != (m.want != nil) {
				t.Fatalf("got something to do %t of %v, want %t", something, got, m.want != nil)
			}
			if diff := cmp.Diff(got, m.want); something && diff != "" {
				t.Errorf("got (-), want (+):\n%s", diff)
			}
		})
	}
}
