package access

import "errors"

// Refused says why a credential is not taken, in words that help its holder and
// nobody else.
type Refused struct{ Reason string }

func (r *Refused) Error() string { return r.Reason }

func refuse(reason string) error { return &Refused{Reason: reason} }

// ErrUnavailable says that who it is cannot be found out now, as something is away
// that is needed for it. Whoever was let in before still is.
var ErrUnavailable = errors.New("credentials that were not seen before cannot be checked now")
