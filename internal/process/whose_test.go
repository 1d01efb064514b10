package process

import (
	"strings"
	"testing"

	"github.com/tidings-io/tidings/internal/events"
)

// TestCommandsWithoutARequestSayWhoseTheyAre: the audit trail asks it of every event.
func TestCommandsWithoutARequestSayWhoseTheyAre(t *testing.T) {
	t.Parallel()
	for actor, md := range map[string]events.Metadata{"tidings": ownMetadata("tidings"), operatorPrefix: operator()} {
		if !strings.HasPrefix(md.Actor, actor) || md.CorrelationID == "" || md.CausationID != md.CommandID.String() {
			t.Errorf("got %+v, want the actor %s, a correlation, and the command as the cause", md, actor)
		}
	}
}
