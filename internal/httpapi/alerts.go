package httpapi

import (
	"context"
	"encoding/json"
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
	receipt, id, err := a.publishOne(r, routeAlerts, k, notification)
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

// alert turns an alert into the notification it stands for, which is then checked
// as any other.
func (f *fields) alert(o object) events.Published {
	if o == nil {
		return events.Published{}
	}
	draft := map[string]any{"title": "-"} // stands in until the message is read
	if severity, ok := o.take("severity"); ok {
		draft["severity"] = severity
	}
	if _, ok := o["target"]; !ok {
		f.flaw("target", "is missing: name 1 to %d targets, such as @alice or @@builds", commands.MaxTargets)
	}
	draft["to"] = f.alertTargets(f.list(o, "target", commands.MaxTargets))
	title, body := f.alertMessage(o)
	if title != "" {
		draft["title"], draft["body"] = title, body
	}
	f.rest(o, "an alert")
	if len(f.flaws) > 0 {
		delete(draft, "to") // named already
	}
	return f.alertDraft(draft)
}

func (f *fields) alertDraft(draft map[string]any) events.Published {
	text, err := json.Marshal(draft)
	if err != nil {
		f.flaw("", "the alert cannot be read")
		return events.Published{}
	}
	known := len(f.flaws) > 0
	notification, flaws := commands.ParseDraft(text)
	for _, flaw := range flaws {
		field, at, _ := strings.Cut(flaw.Field, "[")
		switch field {
		case "to":
			if known {
				continue
			}
			field = "target"
		case "title", "body":
			field = "message"
		}
		if at != "" {
			field += "[" + at
		}
		f.flaw(field, "%s", strings.ReplaceAll(flaw.Message, "to[", "target["))
	}
	return notification
}

// alertTargets reads "@user" and "@@topic".
func (f *fields) alertTargets(entries []json.RawMessage) []string {
	return each(f, "target", entries, func(s string) (string, error) {
		if name, ok := strings.CutPrefix(s, "@@"); ok {
			return "topic:" + name, nil
		}
		if name, ok := strings.CutPrefix(s, "@"); ok {
			return "user:" + name, nil
		}
		return "", errors.New(`is "@<user>" or "@@<topic>"`)
	})
}

// alertMessage is a notification's title, and its body where the message is longer
// than a title.
func (f *fields) alertMessage(o object) (title, body string) {
	const mostRunes = 8 << 10 // as a body, whose limit in bytes is checked with it
	message := f.text(o, "message", 1, mostRunes)
	if utf8.RuneCountInString(message) <= alertTitleRunes {
		return message, ""
	}
	return string([]rune(message)[:alertTitleRunes]), message
}
