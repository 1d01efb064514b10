package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/commands"
	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
)

const maxChangeIDs = 1000

// changeAnswer answers a change to items.
type changeAnswer struct {
	Position events.Position `json:"position"`
}

// changeName is the change a request's path names; the router lets no other
// through than those there are.
func changeName(r *http.Request) string { return r.PathValue("change") }

func (a *api) changeItems(w http.ResponseWriter, r *http.Request) (done, error) {
	var f fields
	items := events.Items{User: f.user(r)}
	o, err := a.object(w, r, &f, a.maxBodyBytes)
	if err != nil {
		return done{}, err
	}
	nothing := f.items(o, &items)
	if err := f.err(); err != nil {
		return done{}, err
	}
	if nothing {
		return done{status: http.StatusOK, body: changeAnswer{}}, nil
	}
	change, err := inbox.Event(changeName(r), items)
	if err != nil {
		return done{}, err // the name was checked
	}
	at, err := commands.RecordItems(r.Context(), a.store, a.metadata(r, a.newID()), change)
	if err != nil {
		return done{}, err // it says what it did
	}
	return done{status: http.StatusOK, position: at, changed: true, body: changeAnswer{at}}, nil
}

// items reads which items a change is about, and says whether there can be none:
// through position 0 there is nothing.
func (f *fields) items(o object, items *events.Items) (nothing bool) {
	if o == nil {
		return false
	}
	before := len(f.flaws)
	ids := f.list(o, "ids", maxChangeIDs)
	through, given := o.take("through")
	f.rest(o, "a change to items: it has ids or through")
	switch {
	case ids != nil && given:
		f.flaw("through", "cannot be combined with ids: give one of them")
	case given:
		if err := json.Unmarshal(through, &items.Through); err != nil {
			f.flaw("through", `is a position, as a string such as "42"`)
		}
		return items.Through == 0
	case ids == nil && len(f.flaws) == before:
		f.flaw("ids", "is missing: give ids, or through with a position")
	case ids != nil && len(ids) == 0:
		f.flaw("ids", "has 1 to %d entries", maxChangeIDs)
	}
	items.IDs = each(f, "ids", ids, func(s string) (uuid.UUID, error) {
		id, ok := parseID(s)
		if !ok {
			return id, errors.New("is a UUID")
		}
		return id, nil
	})
	return false
}
