package projections

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
)

// rows are what a batch adds to the tables and changes in them.
type rows struct {
	ticks []inbox.Tick

	newUsers     []*user
	newTopics    []*topic
	newAudiences []*audience
	topics       []*topic    // older ones whose subscribers or description changed
	audiences    []*audience // older ones whose subscribers changed

	opened []*period // new periods, those that ended within the batch included
	closed []*period // older periods that ended within the batch

	notifications   []notificationRow
	audienceTargets []audienceTarget
	userTargets     []userTarget

	// The inbox on write: notifications with users only, with one topic
	// only, and with several targets that may reach a user more than once.
	direct      []userTarget
	members     []audienceTarget
	mixed       []audienceTarget
	mixedDirect []userTarget

	retractions []retraction
	changes     []changeRow
	named       []namedItem
	swept       []sweep
	preferences map[*user]preferencesRow
}

// forever is the end of a period that lasts.
const forever = int64(events.MaxPosition) + 1

type period struct {
	user        *user
	audience    *audience
	from        int64
	until       int64
	since       int64
	minSeverity int16
	muted       bool
	stored      bool // it was in the table before this batch
}

type notificationRow struct {
	position int64
	at       time.Time
	events.Published
}

type audienceTarget struct {
	audience *audience
	position int64
	severity int16
	ends     bool
	stored   bool
}

type userTarget struct {
	user     *user
	position int64
	ends     bool
}

// preferencesRow is the last of a user's in the batch.
type preferencesRow struct {
	position int64
	muted    string // lines
	settings string
}

type retraction struct {
	position     int64
	notification int64
}

// changeRow is a change as it was sent.
type changeRow struct {
	user     *user
	position int64
	at       time.Time
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
