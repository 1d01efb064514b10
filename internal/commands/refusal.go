package commands

import "fmt"

// Refusal is a business "no". Its code is stable: clients rely on it.
type Refusal struct {
	Code   string
	Detail string
}

// The codes of refusals.
const (
	CodeConflict  = "conflict"               // others kept changing the same thing: try again
	CodeKeyReused = "idempotency_key_reused" // the key came before with another body
	CodeNotFound  = "notification_not_found" // there is no such notification
)

func (r *Refusal) Error() string { return r.Code + ": " + r.Detail }

func refuse(code, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Detail: fmt.Sprintf(format, args...)}
}
