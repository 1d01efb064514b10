package queries

import (
	"time"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
)

// Whole is all that the tables say of one user's inbox, read in one snapshot.
type Whole struct {
	Position              events.Position // the checkpoint of the snapshot
	At                    time.Time       // the time the answer is given for
	Keep                  inbox.Retention // what the tables are kept by
	Periods               []inbox.Period  // closed ones included
	Muted                 []events.Topic
	Items                 []inbox.Item // those visible, archived ones too, in no order, without their content
	Total, Unread, Unseen int
}
