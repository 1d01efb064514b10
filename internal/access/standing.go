package access

import (
	"time"

	"github.com/tidings-io/tidings/internal/events"
)

// standing is what the log says of a holder: an API key, or the tokens of a user.
// The zero value: nothing was said.
type standing struct {
	key     *events.KeyCreated
	revoked time.Time // a key: for good; tokens: those issued up to then
}

// evolve folds one event of the holder's stream.
func (s standing) evolve(r events.Recorded) standing {
	switch e := r.Event.(type) {
	case events.KeyCreated:
		s.key = &e
	case events.KeyRevoked:
		s.revoked = r.At
	case events.TokensRevoked:
		if r.At.After(s.revoked) { // events may come twice
			s.revoked = r.At
		}
	}
	return s
}

// judge is nil while an identity of this holder is to be let in, whatever its age.
func (s standing) judge(i *Identity) error {
	switch {
	case s.revoked.IsZero():
		return nil
	case i.Key != "":
		return refuse("the API key was revoked")
	case i.claims.IssuedAt.After(s.revoked):
		return nil
	default:
		return refuse("the user's tokens were revoked after this one was issued: get a new one")
	}
}
