package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/commands"
	"github.com/tidings-io/tidings/internal/events"
)

const (
	alertWait       = 5 * time.Second // as with Prefer: wait=5
	alertTitleRunes = 200             // what a notification's title holds
	alertBodyBytes  = 8 << 10         // what a notification's body holds
)

// alertAnswer answers an alert.
type alertAnswer struct {
	ID        uuid.UUID       `json:"id"`
	UserCount *int            `json:"userCount" doc:"How many people were told; null when the inbox was not there yet."`
	Position  events.Position `json:"position"`
}

// alert publishes in the words of monitoring tools.
func (a *api) alert(w http.ResponseWriter, r *http.Request) (done, error) {
	var f fields
	k := f.key(r)
	o, err := a.object(w, r, &f, a.maxBodyBytes)
	if err != nil {
		return done{}, err
	}
	notification := f.alert(o)
	if err := f.err(); err != nil {
		return done{}, err
	}
	receipt, id, err := a.publishOne(r, routeAlerts, "target", k, notification)
	if err != nil {
		return done{}, err
	}
	answer := alertAnswer{ID: id, Position: receipt.Position}
	return done{
		status: http.StatusAccepted, body: answer, wait: alertWait,
		position: receipt.Position, changed: receipt.Changed, replayed: receipt.Replayed,
		waited: func(ctx context.Context) (int, any, error) {
			n, err := a.reads.Recipients(ctx, id)
			answer.UserCount = &n.Count
			return http.StatusOK, answer, err
		},
	}, nil
}

// alert reads an alert as the notification it stands for.
func (f *fields) alert(o object) events.Published {
	if o == nil {
		return events.Published{}
	}
	n := events.Published{
		To: f.alertTargets(o), Severity: f.severity(o, "severity", events.SeverityNormal), Content: f.alertMessage(o),
	}
	f.rest(o, "an alert")
	return n
}

// alertTargets reads "@user" and "@@topic".
func (f *fields) alertTargets(o object) []events.Target {
	before := len(f.flaws)
	entries := f.list(o, "target", commands.MaxTargets)
	if len(entries) == 0 && len(f.flaws) == before {
		f.flaw("target", "names 1 to %d targets, such as @alice or @@builds", commands.MaxTargets)
	}
	return each(f, "target", entries, func(s string) (events.Target, error) {
		if name, ok := strings.CutPrefix(s, "@@"); ok {
			topic, err := events.ParseTopic(name)
			return events.Target{Topic: topic}, err // worded for the client
		}
		if name, ok := strings.CutPrefix(s, "@"); ok {
			user, err := events.ParseUser(name)
			return events.Target{User: user}, err // worded for the client
		}
		return events.Target{}, errors.New(`is "@<user>" or "@@<topic>"`)
	})
}

// alertMessage is a notification's title, and its body where the message is longer
// than a title.
func (f *fields) alertMessage(o object) events.Content {
	message := f.text(o, "message", 1, alertBodyBytes)
	switch {
	case len(message) > alertBodyBytes && utf8.RuneCountInString(message) <= alertBodyBytes:
		f.flaw("message", "has at most %d bytes", alertBodyBytes)
	case utf8.RuneCountInString(message) > alertTitleRunes:
		return events.Content{Title: string([]rune(message)[:alertTitleRunes]), Body: message}
	}
	return events.Content{Title: message}
}
