package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// subscriptionsOf is one subscription for so many notifications.
const subscriptionsOf = 100

// fillReal makes a log of so many events as programs of this module write them: notifications in batches, and
// subscriptions of their own streams.
func fillReal(ctx context.Context, dir string, n int) error {
	log, err := eventlog.Open(dir, eventlog.Options{})
	if err != nil {
		return err
	}
	var (
		wg   sync.WaitGroup
		errs = make([]error, 64) // as many as share an fsync well
	)
	for worker := range errs {
		wg.Go(func() {
			for i := worker; i < n/subscriptionsOf && errs[worker] == nil; i += len(errs) {
				errs[worker] = appendSubscription(ctx, log, i)
			}
			for i := worker; i < n/batchEvents && errs[worker] == nil; i += len(errs) {
				errs[worker] = appendNotifications(ctx, log, i)
			}
		})
	}
	wg.Wait()
	return errors.Join(errors.Join(errs...), log.Close())
}

func appendSubscription(ctx context.Context, log *eventlog.Log, i int) error {
	e := events.Subscribed{User: events.User(fmt.Sprintf("user%d@example.com", i)), Topic: events.Topic(fmt.Sprintf("teams/%d/releases", i%1000)), Rules: events.Rules{MinSeverity: events.SeverityNormal}}
	stream := events.SubscriptionStream(e.User, e.Topic)
	_, err := log.Append(ctx, string(stream), eventlog.NoStream, realEvent(e, stream, 0, realMetadata(string(e.User))))
	return err
}

func appendNotifications(ctx context.Context, log *eventlog.Log, i int) error {
	batch := events.BatchID(uuid.New())
	stream, md := events.BatchStream(batch), realMetadata("ci")
	all := make([]eventlog.Event, batchEvents)
	for n := range all {
		all[n] = realEvent(events.Published{
			NotificationID: events.BatchEntryID(batch, n), To: []events.Target{{Topic: events.Topic(fmt.Sprintf("builds/%d", i%100))}},
			Severity: events.SeverityHigh, Sender: "ci",
			Content: events.Content{
				Title: fmt.Sprintf("build %d of main failed", i*batchEvents+n), Body: "3 of 1,204 tests failed; the log has their names.",
				Link: "https://ci.example.com/builds/42", Data: json.RawMessage(fmt.Sprintf(`{"branch":"main","build":%d}`, n)),
			},
		}, stream, n, md)
	}
	_, err := log.Append(ctx, string(stream), eventlog.NoStream, all...)
	return err
}

func realMetadata(actor string) events.Metadata {
	id := uuid.New()
	return events.Metadata{
		CommandID: id, Attempt: id, CorrelationID: uuid.NewString(), CausationID: id.String(), Actor: actor,
		BodyHash:    "1174596d321ea1feea25503fc594f432d17dc61931bcc56f33b425bcd970163a",
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}
}

func realEvent(e events.Event, stream events.StreamName, n int, md events.Metadata) eventlog.Event {
	p, err := events.Encode(e, stream, n, md)
	if err != nil {
		panic(err) // of a type that the codec has
	}
	return eventlog.Event{ID: p.ID, Type: p.Type, JSON: true, Data: p.Data, Metadata: p.Metadata}
}
