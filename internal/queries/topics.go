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

// Subscribers is a page (limit 1..1,000) of those subscribed to a topic, in the
// order in which the read model first met them; nobody for a topic unheard of.
func (q *Queries) Subscribers(ctx context.Context, topic events.Topic, limit int, cursor string, demands ...AtLeast) (Page[Subscriber], error) {
	doing := fmt.Sprintf("list the subscribers of %s", topic)
	after, err := named(doing, subscribersList, cursor, limit, maxSubscribers)
	if err != nil {
		return Page[Subscriber]{}, err
	}
	return pageQuery[Subscriber]{
		doing: doing, list: subscribersList, limit: limit, demands: demands,
		sql: subscribersSQL, args: []any{string(topic), after, limit + 1},
		scan: func(r row) (Subscriber, error) {
			var s Subscriber
			err := r(&s.User, &s.Since, (*uint8)(&s.MinSeverity), &s.Filter, &s.Muted)
			return s, err
		},
		last: func(s Subscriber) string { return string(s.User) },
	}.read(ctx, q)
}

func scanTopic(r row) (Topic, error) {
	var t Topic
	err := r(&t.Topic, &t.Description, &t.Subscribers)
	return t, err
}
