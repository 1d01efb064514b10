package node

import (
	"context"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
)

// serverVersion is that of the real node whose behaviour is followed. Its first three parts must be numbers.
const serverVersion = "24.10.0"

type featuresService struct {
	serverfeatures.UnimplementedServerFeaturesServer
}

// GetSupportedMethods names the methods of persistent subscriptions although they answer Unimplemented: without them the client would
// try HTTP/1 on this port. BatchAppend is not named, so that clients which could use it do not.
func (featuresService) GetSupportedMethods(context.Context, *shared.Empty) (*serverfeatures.SupportedMethods, error) {
	const (
		streamsName    = "event_store.client.streams.streams"
		persistentName = "event_store.client.persistent_subscriptions.persistentsubscriptions"
		featuresName   = "event_store.client.server_features.serverfeatures"
		gossipName     = "event_store.client.gossip.gossip"
		projectionName = "event_store.client.projections.projections"
	)
	answer := &serverfeatures.SupportedMethods{EventStoreServerVersion: serverVersion}
	add := func(service string, features []string, methods ...string) {
		for _, method := range methods {
			answer.Methods = append(answer.Methods, &serverfeatures.SupportedMethod{
				ServiceName: service, MethodName: method, Features: features,
			})
		}
	}
	add(streamsName, []string{"position", "events"}, "read")
	add(streamsName, nil, "append", "delete", "tombstone")
	add(persistentName, []string{"stream", "all"},
		"create", "update", "delete", "read", "getinfo", "replayparked", "list", "restartsubsystem")
	add(projectionName, []string{"track_emitted_streams"}, "create")
	add(featuresName, nil, "getsupportedmethods")
	add(gossipName, nil, "read")
	return answer, nil
}
