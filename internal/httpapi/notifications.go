package httpapi

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/commands"
	"github.com/tidings-io/tidings/internal/events"
)

const (
	statusPublished = "published"
	statusRetracted = "retracted"
)

// The scopes of Idempotency-Keys.
const (
	routeNotifications = "POST /v1/notifications"
	routeBatch         = "POST /v1/notifications/batch"
	routeAlerts        = "POST /v1/alerts"
)

// notificationAnswer answers a publish and a retraction.
type notificationAnswer struct {
	ID         uuid.UUID       `json:"id"`
	Status     string          `json:"status" enum:"published,retracted"`
	Recipients *int            `json:"recipients,omitempty" doc:"How many people got it; only with Prefer: wait honoured."`
	Position   events.Position `json:"position"`
}

func (a *api) publish(w http.ResponseWriter, r *http.Request) (done, error) {
	var f fields
	k := f.key(r)
	body, err := a.body(w, r, a.maxBodyBytes)
	if err != nil {
		return done{}, err
	}
	notification, flaws := commands.ParseDraft(body)
	f.flaws = append(f.flaws, flaws...)
	if err := f.err(); err != nil {
		return done{}, err
	}
	receipt, id, err := a.publishOne(r, routeNotifications, "to", k, notification)
	if err != nil {
		return done{}, err
	}
	answer := notificationAnswer{ID: id, Status: statusPublished, Position: receipt.Position}
	return done{
		status: http.StatusAccepted, body: answer,
		position: receipt.Position, changed: receipt.Changed, replayed: receipt.Replayed,
		waited: func(ctx context.Context) (int, any, error) {
			n, err := a.reads.Recipients(ctx, id)
			answer.Recipients = &n.Count
			return http.StatusCreated, answer, err
		},
	}, nil
}

// publishOne publishes a notification under the id its key gives it; field is where its
// targets stand in the body.
func (a *api) publishOne(r *http.Request, route, field string, k key, n events.Published) (commands.Receipt[commands.Notification], uuid.UUID, error) {
	if err := mayReach(r, field, n.To); err != nil {
		return commands.Receipt[commands.Notification]{}, n.NotificationID, err
	}
	n.NotificationID = a.commandID(r, route, k)
	spent, err := a.spendOnce(r, 1, k, events.NotificationStream(n.NotificationID))
	if err != nil {
		return commands.Receipt[commands.Notification]{}, n.NotificationID, err
	}
	md := a.metadata(r, n.NotificationID)
	if k.given {
		hash, err := commands.BodyHash(n)
		if err != nil {
			return commands.Receipt[commands.Notification]{}, n.NotificationID, err // it says what it did
		}
		md.BodyHash = hash
	}
	receipt, err := commands.Handle(r.Context(), a.store, md, commands.Publish{Notification: n})
	if spent && !receipt.Changed && !errors.Is(err, events.ErrOutcomeUnknown) {
		a.giveBack(r, 1)
	}
	if err != nil {
		err = &about{error: err, id: n.NotificationID}
	}
	return receipt, n.NotificationID, err
}

// retracting retracts what the request may have been allowed to publish.
type retracting struct {
	commands.Retract

	r *http.Request
}

func (c retracting) Decide(n commands.Notification) ([]events.NotificationEvent, error) {
	if n.Published != nil {
		if err := mayReach(c.r, "to", n.Published.To); err != nil {
			return nil, err
		}
	}
	return c.Retract.Decide(n) // it decides for us
}

func (a *api) retract(_ http.ResponseWriter, r *http.Request) (done, error) {
	var f fields
	id := f.notificationID(r)
	if err := f.err(); err != nil {
		return done{}, err
	}
	receipt, err := commands.Handle(r.Context(), a.store, a.metadata(r, a.newID()), retracting{commands.Retract{ID: id}, r})
	if err != nil {
		return done{}, &about{error: err, id: id}
	}
	return done{
		status: http.StatusOK, position: receipt.Position, changed: receipt.Changed,
		body: notificationAnswer{ID: id, Status: statusRetracted, Position: receipt.Position},
	}, nil
}
