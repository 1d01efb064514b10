package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
)

// dial makes an official client, silent.
func dial(url string) (*esdb.Client, error) {
	config, err := esdb.ParseConnectionString(url)
	if err != nil {
		return nil, err
	}
	config.Logger = esdb.NoopLogging()
	return esdb.NewClient(config)
}

func newEventData() esdb.EventData {
	data, metadata := newPayload()
	return esdb.EventData{
		EventID: uuid.New(), EventType: eventType, ContentType: esdb.ContentTypeJson, Data: data, Metadata: metadata,
	}
}

// sized is an event with so much data.
func sized(bytes int) esdb.EventData {
	event := newEventData()
	event.Data = letters[:bytes]
	return event
}

// appendByCall appends an event as the first of a new stream.
func appendByCall(client *esdb.Client) func(context.Context) error {
	options := esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}
	return func(ctx context.Context) error {
		_, err := client.AppendToStream(ctx, newStream(), options, newEventData())
		return err
	}
}

// appendBatches appends so many events in batches, each a new stream.
func appendBatches(ctx context.Context, client *esdb.Client, events int) error {
	options := esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}
	batch := make([]esdb.EventData, batchEvents)
	for n := 0; n < events; n += batchEvents {
		for i := range batch {
			batch[i] = newEventData()
		}
		if _, err := client.AppendToStream(ctx, "batch-"+strconv.Itoa(n), options, batch...); err != nil {
			return err
		}
	}
	return nil
}

// subscribe reads so many events from the start of the log.
func subscribe(ctx context.Context, client *esdb.Client, events int) error {
	subscription, err := client.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: esdb.Start{}})
	if err != nil {
		return err
	}
	defer func() { _ = subscription.Close() }() // the client's own end
	for came := 0; came < events; {
		message := subscription.Recv()
		if message.SubscriptionDropped != nil {
			return fmt.Errorf("dropped after %d of %d events: %w", came, events, message.SubscriptionDropped.Error)
		}
		if message.EventAppeared != nil {
			came++
		}
	}
	return nil
}

// withClient has f use a client of the server.
func withClient(url string, f func(*esdb.Client) error) error {
	client, err := dial(url)
	if err != nil {
		return err
	}
	return errors.Join(f(client), client.Close())
}
