package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tidings-io/tidings/internal/access"
	"github.com/tidings-io/tidings/internal/commands"
	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/queries"
)

const (
	defaultPage = 50
	maxPage     = 100
	// queryWait is how long a query waits for the position it was asked to pass.
	queryWait = 5 * time.Second
	// queryTimeout ends a query that hangs although the database's calls are bounded.
	queryTimeout = 20 * time.Second
)

// ask is a query being read: its parameters, and the position to pass.
type ask struct {
	fields

	values url.Values
	atMost int
	past   bool // as_of was read
}

// ask reads a query string. Parameters nobody asks for are ignored.
func (a *api) ask(r *http.Request) (*ask, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, malformed("the query string is not percent-encoded")
	}
	for _, all := range values {
		for _, value := range all {
			if !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
				return nil, malformed("the query string is not valid UTF-8, or contains U+0000")
			}
		}
	}
	return &ask{values: values, atMost: maxPage}, nil
}

// err is nil when nothing is wrong. An as_of that nobody has read must not be
// ignored: the answer would be of another time than was asked for.
func (q *ask) err() error {
	if q.values.Has("as_of") && !q.past {
		q.flaw("as_of", "is not known here, where answers are as of now: an inbox, its counts and the subscribers of a topic can be asked for as they were")
	}
	return q.fields.err()
}

// limit is the size of a page.
func (q *ask) limit(byDefault int) int {
	text := q.values.Get("limit")
	if text == "" {
		return byDefault
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > q.atMost {
		q.flaw("limit", "is a number from 1 to %d", q.atMost)
	}
	return n
}

// position reads a parameter that is a position; 0 when it is absent.
func (q *ask) position(name string) events.Position {
	return q.parsePosition(name, q.values.Get(name))
}

func (q *ask) parsePosition(name, text string) events.Position {
	if text == "" {
		return 0
	}
	at, err := events.ParsePosition(text)
	if err != nil {
		q.flaw(name, "is a position: a decimal number")
	}
	return at
}

// atLeast is the position an answer must not be older than; 0 for any.
func (q *ask) atLeast(r *http.Request) events.Position {
	return max(q.position("wait_for"), q.parsePosition("Tidings-Position", r.Header.Get("Tidings-Position")))
}

// topicFilter reads a parameter that is a topic; "" when it is absent.
func (q *ask) topicFilter() events.Topic {
	text := q.values.Get("topic")
	if text == "" {
		return ""
	}
	topic, err := events.ParseTopic(text)
	if err != nil {
		q.flaw("topic", "%s", err)
	}
	return topic
}

// query makes an endpoint of one that answers from the read model: it waits until
// that has passed the position asked for, which the snapshot that answers checks
// again.
func (a *api) query(answer func(context.Context, *http.Request, *ask, queries.AtLeast) (any, error)) endpoint {
	return func(w http.ResponseWriter, r *http.Request) error {
		q, err := a.ask(r)
		if err != nil {
			return err
		}
		at := q.atLeast(r)
		ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
		defer cancel()
		body, err := answer(ctx, r, q, queries.AtLeast(at))
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, body)
	}
}

// readyFor is what an answer calls when it has read its parameters: it refuses what
// is wrong with them, and then waits.
func (a *api) readyFor(ctx context.Context, q *ask, at queries.AtLeast) error {
	if err := q.err(); err != nil {
		return err
	}
	if at == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, queryWait)
	defer cancel()
	return a.reads.WaitFor(ctx, events.Position(at)) // it says what it waited for
}

func (a *api) inbox(ctx context.Context, r *http.Request, q *ask, at queries.AtLeast) (any, error) {
	page := queries.InboxQuery{
		User: q.user(r), Limit: q.limit(defaultPage), Cursor: q.values.Get("cursor"),
		State: q.state(), Topic: q.topicFilter(), Severity: q.severityFilter(),
		AsOf: q.asOf(), Counts: q.flag("counts"),
	}
	if err := a.readyFor(ctx, q, at); err != nil {
		return nil, err
	}
	if page.AsOf != (queries.AsOf{}) {
		a.looked(r, lookInbox, page.User)
	}
	return a.reads.Inbox(ctx, page, at)
}

func (q *ask) state() queries.State {
	state := queries.State(q.values.Get("state"))
	if state != "" && !slices.Contains(queries.States, state) {
		q.flaw("state", "is one of all, unread, read and archived")
	}
	return state
}

func (q *ask) severityFilter() *events.Severity {
	name := q.values.Get("severity")
	if name == "" {
		return nil
	}
	severity, err := events.ParseSeverity(name)
	if err != nil {
		q.flaw("severity", "is one of low, normal, high and critical")
	}
	return &severity
}

func (a *api) counts(ctx context.Context, r *http.Request, q *ask, at queries.AtLeast) (any, error) {
	user, asOf := q.user(r), q.asOf()
	if err := a.readyFor(ctx, q, at); err != nil {
		return nil, err
	}
	if asOf != (queries.AsOf{}) {
		a.looked(r, lookInbox, user)
	}
	return a.reads.Counts(ctx, user, asOf, at)
}

func (a *api) subscriptions(ctx context.Context, r *http.Request, q *ask, at queries.AtLeast) (any, error) {
	user, limit := q.user(r), q.limit(defaultPage)
	if err := a.readyFor(ctx, q, at); err != nil {
		return nil, err
	}
	return a.reads.Subscriptions(ctx, user, limit, q.values.Get("cursor"), at)
}

func (a *api) topics(ctx context.Context, _ *http.Request, q *ask, at queries.AtLeast) (any, error) {
	limit := q.limit(defaultPage)
	if err := a.readyFor(ctx, q, at); err != nil {
		return nil, err
	}
	return a.reads.Topics(ctx, limit, q.values.Get("cursor"), at)
}

func (a *api) topic(ctx context.Context, r *http.Request, q *ask, at queries.AtLeast) (any, error) {
	name := q.topic(r)
	if err := a.readyFor(ctx, q, at); err != nil {
		return nil, err
	}
	topic, err := a.reads.Topic(ctx, name, at)
	return topic, orNotFound(err, codeTopicNotFound)
}

func (a *api) subscribers(ctx context.Context, r *http.Request, q *ask, at queries.AtLeast) (any, error) {
	q.atMost = maxSubscribers
	page := queries.SubscribersQuery{Topic: q.topic(r), Limit: q.limit(defaultPage), Cursor: q.values.Get("cursor"), AsOf: q.asOf()}
	if err := a.readyFor(ctx, q, at); err != nil {
		return nil, err
	}
	if page.AsOf != (queries.AsOf{}) {
		a.looked(r, lookMembers, "")
	}
	return a.reads.Subscribers(ctx, page, at)
}

func (a *api) notification(ctx context.Context, r *http.Request, q *ask, at queries.AtLeast) (any, error) {
	id := q.notificationID(r)
	if err := a.readyFor(ctx, q, at); err != nil {
		return nil, err
	}
	notification, err := a.reads.Notification(ctx, id, at)
	if err != nil {
		return nil, orNotFound(err, commands.CodeNotFound)
	}
	if !identity(r).Has(access.Audit) {
		err = mayReach(r, "to", notification.To)
	}
	return notification, err
}

// orNotFound says what it is that the read model does not know.
func orNotFound(err error, code string) error {
	if errors.Is(err, queries.ErrNotFound) {
		return &fault{code: code}
	}
	return err
}
