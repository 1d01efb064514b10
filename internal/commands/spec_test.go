package commands

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidings-io/tidings/internal/events"
)

// spec is one business rule: given what is in the stream, when this is asked,
// then these events are decided, or the refusal with this code.
type spec[S State[S, E], E events.Event] struct {
	given   []E // at positions 1, 2, …
	when    Command[S, E]
	then    []E
	refused string
}

// check runs every rule, and decides each command a second time after what it
// decided: a repeat must be harmless.
func check[S State[S, E], E events.Event](t *testing.T, rules map[string]spec[S, E]) {
	t.Helper()
	for rule, s := range rules {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			var state S
			at := events.Position(0)
			evolve := func(evs []E) {
				for _, e := range evs {
					at++
					state = state.Evolve(e, at)
				}
			}
			evolve(s.given)
			got, err := s.when.Decide(state)
			if diff := cmp.Diff(s.then, got); diff != "" {
				t.Errorf("decided (-want +got):\n%s", diff)
			}
			if code := refusalCode(err); code != s.refused {
				t.Errorf("refused with %q (%v), want %q", code, err, s.refused)
			}
			evolve(got)
			again, err := s.when.Decide(state)
			if len(again) > 0 || refusalCode(err) != s.refused {
				t.Errorf("decided again: %v, %v; a repeat must change nothing", again, err)
			}
		})
	}
}

func refusalCode(err error) string {
	var r *Refusal
	switch {
	case err == nil:
		return ""
	case errors.As(err, &r):
		return r.Code
	default:
		return "fault: " + err.Error()
	}
}
