package workload

import (
	"fmt"
	"time"
)

// Kind says what a line asks for.
type Kind string

// The kinds of line there are.
const (
	Subscribe   Kind = "subscribe"
	Unsubscribe Kind = "unsubscribe"
	Publish     Kind = "publish"
)

// Op is one line of a workload. User and Topic are set for Subscribe and Unsubscribe; ID, Topics, Sender, Severity and
// Title for Publish.
type Op struct {
	Line int // counted from 1
	At   time.Time
	Kind Kind

	User  string
	Topic string

	ID       string // unique in its workload; the publish's Idempotency-Key
	Topics   []string
	Sender   string
	Severity string
	Title    string
}

// String names the op as a message to a person would.
func (o *Op) String() string {
	switch o.Kind {
	case Publish:
		return fmt.Sprintf("line %d (publish %s)", o.Line, o.ID)
	default:
		return fmt.Sprintf("line %d (%s %s %s)", o.Line, o.Kind, o.User, o.Topic)
	}
}

// pair is a user's membership of a topic: what Subscribe and Unsubscribe change.
type pair struct{ user, topic string }

func (o *Op) pair() pair { return pair{o.User, o.Topic} }

// Workload is a history in the order it happened.
type Workload struct {
	Ops []Op
	// Digest is the SHA-256 of the workload's text in hexadecimal. Compressing a workload does not change it.
	Digest string
}
