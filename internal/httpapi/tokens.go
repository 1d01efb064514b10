package httpapi

import (
	"net/http"

	"github.com/tidings-io/tidings/internal/commands"
	"github.com/tidings-io/tidings/internal/events"
)

// tokensAnswer answers the revocation of a user's tokens.
type tokensAnswer struct {
	User     events.User     `json:"user"`
	Position events.Position `json:"position"`
}

func (a *api) revokeTokens(w http.ResponseWriter, r *http.Request) (done, error) {
	var f fields
	e := events.TokensRevoked{User: f.user(r)}
	body, err := readJSON(w, r, a.maxBodyBytes)
	if err != nil {
		return done{}, err
	}
	o := object{}
	if body != nil {
		o = f.object(body)
	}
	e.Reason = f.text(o, "reason", 0, maxReasonRunes)
	f.rest(o, "a revocation")
	if err := f.err(); err != nil {
		return done{}, err
	}
	at, err := commands.RevokeTokens(r.Context(), a.store, a.metadata(r, a.newID()), e)
	if err != nil {
		return done{}, err // it says what it did
	}
	return done{status: http.StatusOK, position: at, changed: true, body: tokensAnswer{e.User, at}}, nil
}
