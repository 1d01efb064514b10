package main

import (
	"net"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// TestTheFloorNodeServesTheClient has the official client write to and read from the floor, as the scenarios do.
func TestTheFloorNodeServesTheClient(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := newFloorNode()
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	err = withClient("esdb://"+listener.Addr().String()+"?tls=false", func(client *esdb.Client) error {
		if err := appendByCall(client)(t.Context()); err != nil {
			return err
		}
		if err := appendBatches(t.Context(), client, 2*batchEvents); err != nil {
			return err
		}
		return subscribe(t.Context(), client, 2*batchEvents+1)
	})
	if err != nil {
		t.Fatal(err)
	}
}
