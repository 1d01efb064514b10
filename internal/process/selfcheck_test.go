package process

import (
	"testing"

	"github.com/tidings-io/tidings/internal/projections"
)

// TestWhoLeadsChecks: a projector that stands by, or has lost its database, leaves
// checking to the one that leads.
func TestWhoLeadsChecks(t *testing.T) {
	t.Parallel()
	for state, want := range map[projections.State]bool{
		projections.StateRunning: true, projections.StatePaused: true, projections.StateHalted: true,
		projections.StateStandby: false, projections.StateStarting: false, projections.StateStopped: false,
		projections.StateWaitingForDatabase: false, projections.StateWaitingForStore: false,
	} {
		if got := leads(state); got != want {
			t.Errorf("%s: %v, want %v", state, got, want)
		}
	}
}

func TestAPauseIsNotNegative(t *testing.T) {
	t.Parallel()
	if (SelfCheckFlags{SelfCheckEvery: -1}).Validate() == nil {
		t.Error("a negative pause is taken")
	}
}
