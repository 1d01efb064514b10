package replay

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
)

var (
	users  = []string{"ann", "bob", "cyd", "+49-1"}
	topics = []string{"builds", "charts/stable/redis", "日本", "x:y"}
)

// history does things of all kinds at random, through the API as clients do.
type history struct {
	t      *testing.T
	random *rand.Rand
	on     *instance
	ids    []uuid.UUID
	head   uint64
	n      int
}

func (h *history) run(steps int) {
	for range steps {
		h.n++
		at := h.step()
		h.head = max(h.head, at.Position)
		if at.ID != uuid.Nil {
			h.ids = append(h.ids, at.ID)
		}
	}
}

func (h *history) one(of ...string) string { return of[h.random.IntN(len(of))] }
func (h *history) user() string            { return h.one(users...) }
func (h *history) topic() string           { return h.one(topics...) }
func (h *history) path(format string, parts ...string) string {
	escaped := make([]any, len(parts))
	for i, part := range parts {
		escaped[i] = url.PathEscape(part)
	}
	return fmt.Sprintf(format, escaped...)
}

func (h *history) step() answer {
	id := []string{"X-Request-Id", fmt.Sprintf("history-%d", h.n)}
	switch h.random.IntN(16) {
	case 0, 1:
		return h.on.ask(h.t, http.MethodPut, h.path("/v1/users/%s/subscriptions/%s", h.user(), h.topic()), h.rules(), id...)
	case 2:
		return h.on.ask(h.t, http.MethodDelete, h.path("/v1/users/%s/subscriptions/%s", h.user(), h.topic()), nil, id...)
	case 3:
		return h.on.ask(h.t, http.MethodPost, h.path("/v1/topics/%s/subscribers", h.topic()), map[string]any{"add": users[:2], "remove": users[2:3]}, id...)
	case 4:
		return h.on.ask(h.t, http.MethodPut, h.path("/v1/users/%s/preferences", h.user()), h.preferences(), id...)
	case 5:
		return h.on.ask(h.t, http.MethodPut, h.path("/v1/topics/%s", h.topic()), map[string]any{"description": h.one("", "of <main> & more", "日本")}, id...)
	case 6:
		entries := make([]map[string]any, 1+h.random.IntN(5))
		for i := range entries {
			entries[i] = h.notification(i)
		}
		return h.batch(entries)
	case 7:
		return h.on.ask(h.t, http.MethodPost, "/v1/alerts", map[string]any{"target": []string{"@@" + h.topic(), "@" + h.user()}, "message": fmt.Sprintf("alert %d", h.n)})
	case 8:
		if len(h.ids) == 0 {
			return answer{}
		}
		got := h.on.ask(h.t, http.MethodDelete, "/v1/notifications/"+h.anyID().String(), nil, id...)
		return answer{Position: got.Position}
	case 9:
		if h.random.IntN(4) > 0 {
			return answer{}
		}
		return h.on.ask(h.t, http.MethodPost, h.path("/v1/users/%s/tokens/revoke", h.user()), nil)
	case 10, 11, 12:
		return h.on.ask(h.t, http.MethodPost, h.path("/v1/users/%s/inbox/%s", h.user(), h.one("read", "unread", "seen", "archive", "unarchive", "delete")), h.items(), id...)
	default:
		return h.on.ask(h.t, http.MethodPost, "/v1/notifications", h.notification(0), "Idempotency-Key", strconv.Itoa(h.n))
	}
}

func (h *history) anyID() uuid.UUID { return h.ids[h.random.IntN(len(h.ids))] }

// batch publishes several; which id each has follows from that of the first.
func (h *history) batch(entries []map[string]any) answer {
	before := h.head
	h.on.ask(h.t, http.MethodPost, "/v1/notifications/batch", map[string]any{"notifications": entries})
	for _, r := range h.on.log(h.t)[before:] {
		if p, ok := r.Event.(events.Published); ok {
			h.ids = append(h.ids, p.NotificationID)
		}
	}
	return answer{Position: uint64(len(h.on.log(h.t)))}
}

func (h *history) rules() map[string]any {
	rules := map[string]any{}
	if h.random.IntN(2) == 0 {
		rules["min_severity"] = h.one("low", "normal", "high")
	}
	if h.random.IntN(3) == 0 {
		rules["filter"] = h.one("data.n > 1", "severity == 'high' && sender < 'c'", "!has(data.n)")
	}
	return rules
}

func (h *history) preferences() map[string]any {
	p := map[string]any{}
	if h.random.IntN(3) > 0 {
		p["muted_topics"] = topics[:1+h.random.IntN(2)]
	}
	if h.random.IntN(3) == 0 {
		p["quiet_hours"] = map[string]any{"from": "22:00", "to": "07:00", "timezone": "Asia/Seoul"}
		p["channels"] = map[string]any{"email": map[string]any{"min_severity": "high"}}
	}
	return p
}

// notification has a title of its own, so that it is known again in another instance.
func (h *history) notification(entry int) map[string]any {
	n := map[string]any{"to": []string{"topic:" + h.topic()}, "title": fmt.Sprintf("%d.%d <&>", h.n, entry), "severity": h.one("low", "normal", "high", "critical")}
	if h.random.IntN(2) == 0 {
		n["to"] = []string{"topic:" + topics[0], "user:" + h.user(), "topic:" + topics[2]}
	}
	if h.random.IntN(2) == 0 {
		n["data"], n["sender"] = map[string]any{"n": h.random.IntN(4), "big": uint64(1)<<63 + 1, "x": "<é>"}, h.one("ci", "b")
	}
	if h.random.IntN(4) == 0 {
		n["body"], n["link"] = "line 7\n", "https://ci.example/42?a=b&c"
	}
	if h.random.IntN(4) == 0 {
		n["expires_at"] = h.one("1999-01-02T03:04:05.678901Z", "2200-01-01T00:00:00Z")
	}
	return n
}

// items are some that there are, one that there is not, or all up to any position, in the middle of a batch too.
func (h *history) items() map[string]any {
	if h.random.IntN(2) == 0 || len(h.ids) == 0 {
		return map[string]any{"through": strconv.FormatUint(h.random.Uint64N(h.head+5), 10)}
	}
	ids := []uuid.UUID{h.anyID()}
	if second := h.anyID(); second != ids[0] {
		ids = append(ids, second)
	}
	if h.random.IntN(4) == 0 {
		ids = append(ids, uuid.New())
	}
	return map[string]any{"ids": ids}
}

// shown is what an instance shows of itself, but for times, ids and positions: what must be the same after a replay.
type shown struct {
	Inboxes      map[string][]shownItem
	Counts       map[string][3]int
	Open         map[string][]shownPeriod
	Preferences  map[string]events.Preferences
	Descriptions map[string]string
	Retracted    []string // titles, in order of their publishes
}

type shownItem struct {
	Title, Body, Severity, Sender, Link, Data, Expires string
	To                                                 []events.Target
	Seen, Read, Archived                               bool
}

type shownPeriod struct {
	Topic string
	Muted bool
	Rules events.Rules
}

// of folds a log as the read model must, at a time.
func showOf(log []events.Recorded, at time.Time) shown {
	s := shown{
		Inboxes: map[string][]shownItem{}, Counts: map[string][3]int{}, Open: map[string][]shownPeriod{},
		Preferences: map[string]events.Preferences{}, Descriptions: map[string]string{},
	}
	retracted, titles := map[uuid.UUID]bool{}, []uuid.UUID{}
	names := map[uuid.UUID]string{}
	for _, r := range log {
		switch e := r.Event.(type) {
		case events.PreferencesSet:
			s.Preferences[string(e.User)] = e.Preferences
		case events.TopicDescribed:
			s.Descriptions[string(e.Topic)] = e.Description
		case events.Published:
			titles, names[e.NotificationID] = append(titles, e.NotificationID), e.Content.Title
		case events.Retracted:
			retracted[e.NotificationID] = true
		}
	}
	for _, id := range titles {
		if retracted[id] {
			s.Retracted = append(s.Retracted, names[id])
		}
	}
	for _, user := range users {
		book := inbox.NewBook(events.User(user))
		for _, r := range log {
			book.Apply(r)
		}
		for _, item := range book.Items(at, inbox.Retention{}) {
			s.Inboxes[user] = append(s.Inboxes[user], showItem(item))
		}
		total, unread, unseen := book.Counts(at, inbox.Retention{})
		s.Counts[user] = [3]int{total, unread, unseen}
		for _, p := range book.Periods() {
			if p.Until == 0 {
				s.Open[user] = append(s.Open[user], shownPeriod{string(p.Topic), p.Muted, p.Rules})
			}
		}
		slices.SortFunc(s.Open[user], func(a, b shownPeriod) int { return strings.Compare(a.Topic, b.Topic) })
	}
	return s
}

func showItem(i inbox.Item) shownItem {
	show := shownItem{
		Title: i.Title, Body: i.Body, Severity: i.Severity.String(), Sender: i.Sender, Link: i.Link, Data: string(i.Data), To: i.To,
		Seen: i.SeenAt != nil, Read: i.ReadAt != nil, Archived: i.ArchivedAt != nil,
	}
	if i.ExpiresAt != nil {
		show.Expires = i.ExpiresAt.String()
	}
	return show
}
