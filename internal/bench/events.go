package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/google/uuid"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// The bytes of an event are those of an ordinary notification.
const (
	eventType     = "Published"
	dataBytes     = 200
	metadataBytes = 150
	batchEvents   = 1000 // of a batch, the most that one append has
)

// letters are what events are cut from: as good as random, so that they cannot be compressed to nothing.
var letters = func() []byte {
	text := make([]byte, 1<<20)
	for i := range text {
		text[i] = 'a' + byte(rand.N(26))
	}
	return text
}()

func newStream() string { return "notification-" + uuid.NewString() }

func newEvent() eventlog.Event {
	data, metadata := newPayload()
	return eventlog.Event{ID: uuid.New(), Type: eventType, JSON: true, Data: data, Metadata: metadata}
}

// newPayload is shared with others: it must not be changed.
func newPayload() (data, metadata []byte) {
	at := rand.N(len(letters) - dataBytes - metadataBytes)
	return letters[at : at+dataBytes], letters[at+dataBytes : at+dataBytes+metadataBytes]
}

// appendBatch adds a batch to a stream of its own and answers the position of its last event.
func appendBatch(ctx context.Context, log *eventlog.Log) (eventlog.Position, error) {
	events := make([]eventlog.Event, batchEvents)
	for i := range events {
		events[i] = newEvent()
	}
	done, err := log.Append(ctx, "batch-"+uuid.NewString(), eventlog.NoStream, events...)
	return done.Position, err
}

// fill makes a log of so many events in a directory.
func fill(ctx context.Context, dir string, events int) (err error) {
	log, err := eventlog.Open(dir, eventlog.Options{})
	if err != nil {
		return err
	}
	defer func() {
		if closed := log.Close(); err == nil {
			err = closed
		}
	}()
	for n := 0; n < events; n += batchEvents {
		if _, err := appendBatch(ctx, log); err != nil {
			return fmt.Errorf("fill %s: %w", dir, err)
		}
	}
	return nil
}
