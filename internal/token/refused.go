package token

import "errors"

// ErrUnavailable says that a token can be neither verified nor refused now: it needs the key set, which was never fetched or is too old.
var ErrUnavailable = errors.New("the keys that verify tokens are not available")

// Refused says that a token is not accepted. Its reason may be shown to whoever sent the token.
type Refused struct{ Reason string }

// Error is the reason.
func (r *Refused) Error() string { return r.Reason }

// reasonUnverifiable is said of everything that ends before the signature is known to be right. One text for all of it: what exactly was wrong
// is of use to nobody but those who try keys, algorithms and forms of tokens.
const reasonUnverifiable = "the token's signature cannot be verified"

// These are said of tokens whose signature is right.
const (
	reasonExpired  = "the token has expired"
	reasonNotYet   = "the token is not valid yet"
	reasonAudience = "the token is not for this audience"
	reasonIssuer   = "the token is of another issuer"
	reasonClaims   = "the token's claims cannot be read"
)

func refuse(reason string) error { return &Refused{Reason: reason} }

// unusable refuses a token whose signature is right, but which has no such claim that could be used. Only names of claims that we ask for are said.
func unusable(claim string) error { return refuse("the token has no usable claim " + claim) }
