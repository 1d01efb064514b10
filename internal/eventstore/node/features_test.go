package node_test

import (
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestFeatures is the answer by which clients choose what they call, word by word.
func TestFeatures(t *testing.T) {
	t.Parallel()
	got, err := serverfeatures.NewServerFeaturesClient(start(t).dial(t)).GetSupportedMethods(t.Context(), &shared.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	const group = "event_store.client.persistent_subscriptions.persistentsubscriptions "
	want := map[string]string{
		"event_store.client.streams.streams read":      "position events",
		"event_store.client.streams.streams append":    "",
		"event_store.client.streams.streams delete":    "",
		"event_store.client.streams.streams tombstone": "",
		group + "create":           "stream all",
		group + "update":           "stream all",
		group + "delete":           "stream all",
		group + "read":             "stream all",
		group + "getinfo":          "stream all",
		group + "replayparked":     "stream all",
		group + "list":             "stream all",
		group + "restartsubsystem": "stream all",
		"event_store.client.projections.projections create":                     "track_emitted_streams",
		"event_store.client.server_features.serverfeatures getsupportedmethods": "",
		"event_store.client.gossip.gossip read":                                 "",
	}
	methods := map[string]string{}
	for _, m := range got.GetMethods() {
		methods[m.GetServiceName()+" "+m.GetMethodName()] = strings.Join(m.GetFeatures(), " ")
	}
	if diff := cmp.Diff(want, methods); diff != "" {
		t.Error(diff)
	}
	if version := got.GetEventStoreServerVersion(); version != "24.10.0" {
		t.Errorf("version %q: the client reads the first three parts as numbers", version)
	}
}

// TestServicesThatAreNotThere answer Unimplemented, which clients understand, whatever is asked of them.
func TestServicesThatAreNotThere(t *testing.T) {
	t.Parallel()
	connection := start(t).dial(t)
	for _, method := range []string{
		"streams.Streams/BatchAppend",
		"persistent_subscriptions.PersistentSubscriptions/Create", "persistent_subscriptions.PersistentSubscriptions/List",
		"projections.Projections/Create", "projections.Projections/Enable",
		"operations.Operations/StartScavenge", "operations.Operations/Shutdown", "monitoring.Monitoring/Stats", "users.Users/Create",
		"redaction.Redaction/Lock",
	} {
		err := connection.Invoke(t.Context(), "/event_store.client."+method, &shared.Empty{}, &shared.Empty{})
		if status.Code(err) != codes.Unimplemented {
			t.Errorf("%s: %v, want %v", method, err, codes.Unimplemented)
		}
	}
}
