package httpapi

import (
	"net/http"

	"github.com/tidings-io/tidings/internal/commands"
	"github.com/tidings-io/tidings/internal/events"
)

// subscriptionAnswer answers a subscribe.
type subscriptionAnswer struct {
	User        events.User     `json:"user"`
	Topic       events.Topic    `json:"topic"`
	Since       events.Position `json:"since" doc:"Where the subscription began; kept when its rules change."`
	MinSeverity events.Severity `json:"min_severity"`
	Channels    []string        `json:"channels"`
	Filter      string          `json:"filter"`
	Position    events.Position `json:"position"`
}

// unsubscribedAnswer answers an unsubscribe.
type unsubscribedAnswer struct {
	User     events.User     `json:"user"`
	Topic    events.Topic    `json:"topic"`
	Position events.Position `json:"position"`
}

func (a *api) subscribe(w http.ResponseWriter, r *http.Request) (done, error) {
	var f fields
	c := commands.Subscribe{User: f.user(r), Topic: f.topic(r)}
	body, err := readJSON(w, r, a.maxBodyBytes)
	if err != nil {
		return done{}, err
	}
	c.Rules = f.rules(body)
	if err := f.err(); err != nil {
		return done{}, err
	}
	receipt, err := commands.Handle(r.Context(), a.store, a.metadata(r, a.newID()), c)
	if err != nil {
		return done{}, err
	}
	status := http.StatusOK
	if receipt.Changed && receipt.State.Since == receipt.Position {
		status = http.StatusCreated
	}
	return done{status: status, position: receipt.Position, changed: receipt.Changed, body: subscriptionAnswer{
		User: c.User, Topic: c.Topic, Since: receipt.State.Since, MinSeverity: receipt.State.MinSeverity,
		Channels: []string{}, Filter: receipt.State.Filter, Position: receipt.Position,
	}}, nil
}

// rules reads what a subscriber may ask for; no body asks nothing.
func (f *fields) rules(body []byte) (rules events.Rules) {
	if body == nil {
		return rules
	}
	o := f.object(body)
	rules.MinSeverity = f.severity(o, "min_severity", events.SeverityLow)
	if len(f.list(o, "channels", maxChannels)) > 0 {
		f.flaw("channels", "is not supported yet: notifications are delivered to the inbox and its streams")
	}
	rules.Filter = f.filter(o)
	f.rest(o, "a subscription")
	return rules
}

const maxChannels = 100

func (a *api) unsubscribe(_ http.ResponseWriter, r *http.Request) (done, error) {
	var f fields
	c := commands.Unsubscribe{User: f.user(r), Topic: f.topic(r)}
	if err := f.err(); err != nil {
		return done{}, err
	}
	receipt, err := commands.Handle(r.Context(), a.store, a.metadata(r, a.newID()), c)
	if err != nil {
		return done{}, err
	}
	return done{
		status: http.StatusOK, position: receipt.Position, changed: receipt.Changed,
		body: unsubscribedAnswer{User: c.User, Topic: c.Topic, Position: receipt.Position},
	}, nil
}
