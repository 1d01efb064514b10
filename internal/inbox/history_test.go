package inbox_test

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// history draws logs that deciders could have written.
type history struct {
	t          *rapid.T
	at         events.Position
	now        time.Time
	subscribed []pair
	published  []events.Published
}

func drawLog(t *rapid.T) []events.Recorded {
	h := &history{t: t, now: epoch}
	log := []events.Recorded{}
	for range rapid.IntRange(1, 60).Draw(t, "events") {
		h.at += events.Position(rapid.IntRange(1, 3).Draw(t, "gap"))
		h.now = h.now.Add(time.Duration(rapid.SampledFrom([]int{-700, 0, 300, 1000, 2000}).Draw(t, "pause")) * time.Millisecond)
		log = append(log, events.Recorded{Position: h.at, At: h.now, Event: h.event()})
	}
	return log
}

func (h *history) event() events.Event {
	kinds := []string{"pair", "pair", "publish", "publish", "publish", "change", "change", "change", "retract", "mute", "other"}
	switch rapid.SampledFrom(kinds).Draw(h.t, "kind") {
	case "pair":
		return h.subscription()
	case "publish":
		return h.publish()
	case "retract":
		if len(h.published) > 0 {
			return h.retract()
		}
	case "mute":
		return h.mute()
	case "other":
		return events.TopicDescribed{Topic: h.topic()}
	}
	return h.change()
}

func (h *history) user() events.User {
	return events.User(rapid.SampledFrom([]string{"ann", "bob", "cyd"}).Draw(h.t, "user"))
}

func (h *history) topic() events.Topic {
	return events.Topic(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(h.t, "topic"))
}

func (h *history) severity() events.Severity {
	return events.Severity(rapid.IntRange(0, 3).Draw(h.t, "severity"))
}

func (h *history) rules() events.Rules {
	filters := []string{"", "", `title == "t"`, `topic == "a"`, `severity == "high"`, `data.n > 0`, `(`}
	return events.Rules{
		MinSeverity: events.Severity(rapid.SampledFrom([]int{0, 0, 1, 2, 3}).Draw(h.t, "lowest")),
		Filter:      rapid.SampledFrom(filters).Draw(h.t, "filter"),
	}
}

func (h *history) subscription() events.Event {
	of := pair{h.user(), h.topic()}
	i := slices.Index(h.subscribed, of)
	switch {
	case i < 0:
		h.subscribed = append(h.subscribed, of)
		return events.Subscribed{User: of.user, Topic: of.topic, Rules: h.rules()}
	case rapid.Bool().Draw(h.t, "unsubscribe"):
		h.subscribed = slices.Delete(h.subscribed, i, i+1)
		return events.Unsubscribed{User: of.user, Topic: of.topic}
	default:
		return events.SubscriptionChanged{User: of.user, Topic: of.topic, Rules: h.rules()}
	}
}

func (h *history) mute() events.Event {
	topics := rapid.SliceOfNDistinct(rapid.SampledFrom([]events.Topic{"a", "b", "c"}), 0, 3, rapid.ID).Draw(h.t, "muted")
	return events.PreferencesSet{User: h.user(), Preferences: events.Preferences{MutedTopics: topics}}
}

func (h *history) publish() events.Event {
	p := events.Published{NotificationID: nid(len(h.published)), Severity: h.severity(), Content: events.Content{
		Title: rapid.SampledFrom([]string{"t", "u"}).Draw(h.t, "title"),
		Data:  json.RawMessage(rapid.SampledFrom([]string{"", "{}", `{"n":0}`, `{"n":1}`}).Draw(h.t, "data")),
	}}
	if rapid.IntRange(0, 3).Draw(h.t, "expires") == 0 {
		p.ExpiresAt = new(epoch.Add(time.Duration(rapid.IntRange(-1, 60).Draw(h.t, "expiry")) * time.Second))
	}
	for range rapid.SampledFrom([]int{1, 1, 2, 4}).Draw(h.t, "targets") {
		target := events.Target{Topic: h.topic()}
		if rapid.Bool().Draw(h.t, "to a user") {
			target = events.Target{User: h.user()}
		}
		p.To = append(p.To, target)
	}
	h.published = append(h.published, p)
	return p
}

func (h *history) retract() events.Event {
	p := rapid.SampledFrom(h.published).Draw(h.t, "retracted")
	return events.Retracted{NotificationID: p.NotificationID, To: p.To, Severity: p.Severity}
}

func (h *history) change() events.Event {
	items := events.Items{User: h.user()}
	if rapid.Bool().Draw(h.t, "through") {
		items.Through = events.Position(rapid.IntRange(0, int(h.at)+3).Draw(h.t, "position"))
	} else {
		items.IDs = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) uuid.UUID {
			return nid(rapid.IntRange(0, len(h.published)).Draw(t, "id"))
		}), 0, 4).Draw(h.t, "ids")
	}
	change, err := inbox.Event(rapid.SampledFrom(inbox.ChangeNames).Draw(h.t, "change"), items)
	if err != nil {
		panic(err)
	}
	return change
}
