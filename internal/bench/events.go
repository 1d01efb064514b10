package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"

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

// appendBatch adds a batch to a stream of its own.
func appendBatch(ctx context.Context, log *eventlog.Log) error {
	events := make([]eventlog.Event, batchEvents)
	for i := range events {
		events[i] = newEvent()
	}
	_, err := log.Append(ctx, "batch-"+uuid.NewString(), eventlog.NoStream, events...)
	return err
}

// fillers append batches at once, so that one is built while another is written.
const fillers = 4

// fill makes a log of so many events in a directory.
func fill(ctx context.Context, dir string, events int) error {
	log, err := eventlog.Open(dir, eventlog.Options{})
	if err != nil {
		return err
	}
	err = fillUntil(ctx, log, func(written int) bool { return written >= events })
	return errors.Join(err, log.Close())
}

// fillUntil appends batches until enough says so of the number of events begun, or one fails.
func fillUntil(ctx context.Context, log *eventlog.Log, enough func(events int) bool) error {
	var (
		wg     sync.WaitGroup
		events atomic.Int64
		errs   = make([]error, fillers)
	)
	for n := range errs {
		wg.Go(func() {
			for errs[n] == nil && !enough(int(events.Add(batchEvents))-batchEvents) {
				errs[n] = appendBatch(ctx, log)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
