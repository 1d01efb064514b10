package access

import (
	"slices"
	"time"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/token"
)

// Scope is one thing that an identity may do.
type Scope string

// The scopes. Admin is all of them, for every user.
const (
	Publish   Scope = "publish"
	Subscribe Scope = "subscribe"
	Inbox     Scope = "inbox"
	Audit     Scope = "audit"
	Admin     Scope = "admin"
)

// AllScopes are those there are.
var AllScopes = []Scope{Publish, Subscribe, Inbox, Audit, Admin}

// Identity is who sends a request. It is never changed once made.
type Identity struct {
	Subject string      // the actor of what they do
	User    events.User // the same as a user; "" where no user can have that name
	Scopes  []Scope
	Topics  *Topics      // those that they may publish and subscribe to; nil: any
	Key     events.KeyID // the API key shown; "" for a token
	Expires time.Time    // zero: never

	holder events.StreamName // what is said of them in the log; "": nothing can be
	claims token.Claims      // of the token shown
}

// Has says whether the identity has the scope.
func (i *Identity) Has(scope Scope) bool {
	return slices.Contains(i.Scopes, scope) || slices.Contains(i.Scopes, Admin)
}

// Is says whether the identity may act for a user: it is them, or an admin.
func (i *Identity) Is(user events.User) bool {
	return i.User != "" && i.User == user || slices.Contains(i.Scopes, Admin)
}

// MayReach says whether the identity's topics let it publish to a target.
func (i *Identity) MayReach(t events.Target) bool {
	if t.User != "" {
		return i.Topics.matchUser(t.User)
	}
	return i.Topics.Match(t.Topic)
}

// known are the scopes among names. A name that is none is another service's, or a
// later version's, and lets nobody do anything here.
func known(names []string) []Scope {
	var scopes []Scope
	for _, name := range names {
		if s := Scope(name); slices.Contains(AllScopes, s) && !slices.Contains(scopes, s) {
			scopes = append(scopes, s)
		}
	}
	return scopes
}

// user is the subject as a user; "" where it cannot be one.
func user(subject string) events.User {
	u, err := events.ParseUser(subject)
	if err != nil {
		return ""
	}
	return u
}
