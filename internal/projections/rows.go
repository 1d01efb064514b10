package projections

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
)

// rows are what a batch adds to the tables and changes in them. Users and topics
// are pointers because the new ones get their ids only after the fold.
type rows struct {
	newUsers  []*user
	newTopics []*topic
	topics    []*topic // whose subscribers or description changed

	opened []*period // new periods, those that ended within the batch included
	closed []*period // older periods that ended within the batch

	notifications []notificationRow
	topicTargets  []topicTarget
	userTargets   []userTarget

	// The inbox on write: notifications with users only, with one stored topic
	// only, and with several targets that may reach a user more than once.
	direct      []userTarget
	members     []topicTarget
	mixed       []topicTarget
	mixedDirect []userTarget

	retractions []retraction
	changes     []changeRow
	named       []namedItem
	swept       []sweep
}

// forever is the end of a period that lasts.
const forever = int64(events.MaxPosition) + 1

type period struct {
	user        *user
	topic       *topic
	from        int64
	until       int64
	since       int64
	minSeverity int16
	stored      bool // it was in the table before this batch
}

type notificationRow struct {
	position int64
	at       time.Time
	events.Published
}

type topicTarget struct {
	topic    *topic
	position int64
	severity int16
	stored   bool
}

type userTarget struct {
	user     *user
	position int64
}

type retraction struct {
	position     int64
	notification int64
}

// changeRow is a change as it was sent.
type changeRow struct {
	user     *user
	position int64
	change   string
	ids      []uuid.UUID
	through  int64
}

// namedItem is a change to one item named by id.
type namedItem struct {
	user     *user
	position int64
	change   string
	at       time.Time
	id       uuid.UUID
}

// sweep is a change to every item in (above, upto].
type sweep struct {
	user     *user
	position int64
	change   string
	at       time.Time
	above    int64
	upto     int64
}

// column is one column of rows.
func column[R, C any](rows []R, value func(R) C) []C {
	column := make([]C, len(rows))
	for i, r := range rows {
		column[i] = value(r)
	}
	return column
}

// text is a string as Postgres can hold it: without NUL, which JSON can carry.
func text(s string) string { return strings.ReplaceAll(s, "\x00", "\uFFFD") }

// orNull is nil for "nothing".
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func targetLines(to []events.Target) string {
	return strings.Join(column(to, events.Target.String), "\n")
}

func idList(ids []uuid.UUID) string {
	return strings.Join(column(ids, uuid.UUID.String), ",")
}
