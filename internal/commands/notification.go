package commands

import (
	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
)

// Notification is the state of one notification.
type Notification struct {
	Published *events.Published
	Position  events.Position // of the publish
	Retracted bool
}

// Evolve folds one event.
func (n Notification) Evolve(e events.NotificationEvent, at events.Position) Notification {
	switch e := e.(type) {
	case events.Published:
		n.Published, n.Position = &e, at
	case events.Retracted:
		n.Retracted = true
	}
	return n
}

// Publish puts a notification into the inboxes of its recipients.
type Publish struct {
	Notification events.Published
}

// Stream is the notification's own.
func (c Publish) Stream() events.StreamName {
	return events.NotificationStream(c.Notification.NotificationID)
}

// Decide publishes unless that was done.
func (c Publish) Decide(n Notification) ([]events.NotificationEvent, error) {
	if n.Published != nil {
		return nil, nil
	}
	return []events.NotificationEvent{c.Notification}, nil
}

func (Publish) fresh() {}

// Retract takes a published notification out of every inbox.
type Retract struct {
	ID uuid.UUID
}

// Stream is the notification's own, also for one born in a batch.
func (c Retract) Stream() events.StreamName { return events.NotificationStream(c.ID) }

// Decide retracts what was published, once.
func (c Retract) Decide(n Notification) ([]events.NotificationEvent, error) {
	switch {
	case n.Published == nil:
		return nil, refuse(CodeNotFound, "there is no notification %s", c.ID)
	case n.Retracted:
		return nil, nil
	}
	return []events.NotificationEvent{events.Retracted{
		NotificationID: c.ID, PublishedPosition: n.Position, To: n.Published.To, Severity: n.Published.Severity,
	}}, nil
}

func (c Retract) birth() (events.StreamName, func(events.NotificationEvent) bool) {
	birth := events.BirthStream(c.ID)
	if birth == c.Stream() {
		return "", nil
	}
	return birth, func(e events.NotificationEvent) bool {
		p, ok := e.(events.Published)
		return ok && p.NotificationID == c.ID
	}
}
