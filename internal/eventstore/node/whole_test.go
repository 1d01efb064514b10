package node

import (
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
)

// TestEventsWithoutBytesAreRefusedAtOnce: the size rule would never end an append of them.
func TestEventsWithoutBytesAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	for what, event := range map[string]*streams.AppendReq_ProposedMessage{
		"no type": {Id: wireID(uuid.New()), Metadata: map[string]string{metadataType: "", metadataContentType: contentJSON}},
		"no id":   {Id: wireID(uuid.Nil), Metadata: map[string]string{metadataType: "x", metadataContentType: contentJSON}},
	} {
		request := &appendRequest{}
		if err := request.add(event); err == nil || len(request.events) != 0 {
			t.Errorf("%s: %v, %d events are kept", what, err, len(request.events))
		}
	}
}
