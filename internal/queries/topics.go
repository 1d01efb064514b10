package queries

import (
	"context"
	"fmt"

	"github.com/tidings-io/tidings/internal/events"
)

// maxSubscribers is how many subscribers a page may hold.
const maxSubscribers = 1000

// Topic is what there is to say of a topic. It exists once it was described,
// subscribed to or published to.
type Topic struct {
	Topic       events.Topic `json:"topic"`
	Description string       `json:"description"`
	Subscribers int          `json:"subscribers"`
	// Checkpoint is that of the snapshot; not set in a list, which has its own.
	Checkpoint events.Position `json:"-"`
}

// Subscriber is somebody subscribed to a topic, and by which rules.
type Subscriber struct {
	User        events.User     `json:"user"`
	Since       events.Position `json:"since"` // where it began, kept through changes
	MinSeverity events.Severity `json:"min_severity"`
	Filter      string          `json:"filter,omitempty"`
	Muted       bool            `json:"muted,omitempty"` // by the user's preferences
}

var (
	topicsSQL      = statement("topics")
	topicSQL       = statement("topic")
	subscribersSQL = statement("subscribers")
)

// Topics is a page (limit 1..100) of all topics, in the order of their bytes.
func (q *Queries) Topics(ctx context.Context, limit int, cursor string, demands ...AtLeast) (Page[Topic], error) {
	const doing = "list the topics"
	after, err := named(doing, topicsList, cursor, limit, maxLimit)
	if err != nil {
		return Page[Topic]{}, err
	}
	return pageQuery[Topic]{
		doing: doing, list: topicsList, limit: limit, demands: demands,
		sql: topicsSQL, args: []any{after, limit + 1},
		scan: scanTopic,
		last: func(t Topic) string { return string(t.Topic) },
	}.read(ctx, q)
}

// Topic is one topic, or ErrNotFound.
func (q *Queries) Topic(ctx context.Context, name events.Topic, demands ...AtLeast) (Topic, error) {
	doing := fmt.Sprintf("read topic %s", name)
	var topic Topic
	at, err := q.one(ctx, doing, demands, func(r row) (err error) {
		topic, err = scanTopic(r)
		return err
	}, topicSQL, string(name))
	if err != nil {
		return Topic{}, err
	}
	topic.Checkpoint = at
	return topic, nil
}

// SubscribersQuery asks for a page of a topic's subscribers.
type SubscribersQuery struct {
	Topic  events.Topic
	Limit  int // 1..1,000
	Cursor string
	AsOf   AsOf // the zero value: now
}

// Subscribers is a page of those subscribed to a topic, in the order in which the
// read model first met them; nobody for a topic unheard of. Periods are never
// deleted, so that the tables know of every moment; Position is then the moment's.
func (q *Queries) Subscribers(ctx context.Context, ask SubscribersQuery, demands ...AtLeast) (Page[Subscriber], error) {
	doing := fmt.Sprintf("list the subscribers of %s", ask.Topic)
	after, err := named(doing, subscribersList, ask.Cursor, ask.Limit, maxSubscribers)
	if err != nil {
		return Page[Subscriber]{}, err
	}
	at := moment{position: events.MaxPosition}
	if ask.AsOf != (AsOf{}) {
		if at, err = q.moment(ctx, ask.AsOf); err != nil {
			return Page[Subscriber]{}, fmt.Errorf("%s: %w", doing, err)
		}
		demands = append(demands, AtLeast(at.position))
	}
	page, err := pageQuery[Subscriber]{
		doing: doing, list: subscribersList, limit: ask.Limit, demands: demands,
		sql: subscribersSQL, args: []any{string(ask.Topic), after, ask.Limit + 1, uint64(at.position)},
		scan: func(r row) (Subscriber, error) {
			var s Subscriber
			err := r(&s.User, &s.Since, (*uint8)(&s.MinSeverity), &s.Filter, &s.Muted)
			return s, err
		},
		last: func(s Subscriber) string { return string(s.User) },
	}.read(ctx, q)
	if ask.AsOf != (AsOf{}) {
		page.Position = at.position
	}
	return page, err
}

func scanTopic(r row) (Topic, error) {
	var t Topic
	err := r(&t.Topic, &t.Description, &t.Subscribers)
	return t, err
}
