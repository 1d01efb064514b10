package httpapi

import (
	"net/http"

	"github.com/tidings-io/tidings/internal/commands"
	"github.com/tidings-io/tidings/internal/events"
)

const (
	maxSubscribers      = 1000 // one call of POST /v1/topics/{topic}/subscribers
	maxDescriptionRunes = 1000
)

// topicAnswer answers the description of a topic.
type topicAnswer struct {
	Topic       events.Topic    `json:"topic"`
	Description string          `json:"description"`
	Position    events.Position `json:"position"`
}

// subscribersAnswer counts what a bulk call did.
type subscribersAnswer struct {
	Added     int             `json:"added"`
	Removed   int             `json:"removed"`
	Unchanged int             `json:"unchanged"`
	Position  events.Position `json:"position"`
}

// describing remembers what its command found, to tell a topic's first
// description from another.
type describing struct {
	commands.DescribeTopic

	found *commands.Topic
}

func (d describing) Decide(t commands.Topic) ([]events.TopicEvent, error) {
	*d.found = t
	return d.DescribeTopic.Decide(t) // it decides for us
}

func (a *api) describe(w http.ResponseWriter, r *http.Request) (done, error) {
	var f fields
	c := commands.DescribeTopic{Topic: f.topic(r)}
	o, err := a.object(w, r, &f, a.maxBodyBytes)
	if err != nil {
		return done{}, err
	}
	if _, ok := o["description"]; !ok && o != nil {
		f.flaw("description", "is missing")
	}
	c.Description = f.text(o, "description", 0, maxDescriptionRunes)
	f.rest(o, "a topic")
	if err := f.err(); err != nil {
		return done{}, err
	}
	var found commands.Topic
	receipt, err := commands.Handle(r.Context(), a.store, a.metadata(r, a.newID()), describing{c, &found})
	if err != nil {
		return done{}, err
	}
	status := http.StatusOK
	if !found.Described {
		status = http.StatusCreated
	}
	return done{
		status: status, position: receipt.Position, changed: receipt.Changed,
		body: topicAnswer{Topic: c.Topic, Description: c.Description, Position: receipt.Position},
	}, nil
}

func (a *api) changeSubscribers(w http.ResponseWriter, r *http.Request) (done, error) {
	var f fields
	c := commands.Subscribers{Topic: f.topic(r)}
	o, err := a.object(w, r, &f, a.maxBodyBytes)
	if err != nil {
		return done{}, err
	}
	c.Add, c.Remove = f.members(o)
	if err := f.err(); err != nil {
		return done{}, err
	}
	if err := mayChange(r, c.Add, c.Remove); err != nil {
		return done{}, err
	}
	receipt, err := commands.HandleSubscribers(r.Context(), a.store, a.metadata(r, a.newID()), c)
	if err != nil {
		return done{}, err
	}
	return done{
		status: http.StatusOK, position: receipt.Position, changed: receipt.Added+receipt.Removed > 0,
		body: subscribersAnswer{receipt.Added, receipt.Removed, receipt.Unchanged, receipt.Position},
	}, nil
}

// members reads whom a bulk call adds and removes: different users, 1 to
// maxSubscribers in all.
func (f *fields) members(o object) (added, removed []events.User) {
	before := len(f.flaws)
	add, remove := f.list(o, "add", maxSubscribers), f.list(o, "remove", maxSubscribers)
	f.rest(o, "this call: it has add and remove")
	switch n := len(add) + len(remove); {
	case n == 0 && len(f.flaws) == before:
		f.flaw("add", "is empty, and so is remove: name 1 to %d users in all", maxSubscribers)
	case n > maxSubscribers:
		f.flaw("add", "and remove name at most %d users in all", maxSubscribers)
		return nil, nil
	}
	added = each(f, "add", add, events.ParseUser)
	removed = each(f, "remove", remove, events.ParseUser)
	both := make(map[events.User]bool, len(added))
	for _, user := range added {
		both[user] = true
	}
	for i, user := range removed {
		if both[user] {
			f.flaw("remove["+count(i, "")+"]", "is in add too")
		}
	}
	return added, removed
}
