package projections

import "testing"

// TestAPositionIsKeptUntilItIsKnown: a version whose inbox has not found its
// checkpoint yet, as after a crash of Postgres, is listed where it was last seen.
func TestAPositionIsKeptUntilItIsKnown(t *testing.T) {
	t.Parallel()
	l := &leader{Versions: &Versions{}, orders: newOrders()}
	inbox := &Inbox{}
	v := &version{number: 1, serving: true, run: &running{inbox: inbox}}
	for _, state := range []State{StateStarting, StateWaitingForDatabase, StateStandby} {
		inbox.status = Status{State: state}
		if got := l.tells(v).position; got >= 0 {
			t.Errorf("%s: got position %d to write down, want none", state, got)
		}
	}
	inbox.status = Status{State: StateRunning, Position: 30}
	if got := l.tells(v).position; got != 30 {
		t.Errorf("got position %d to write down, want 30", got)
	}
}
