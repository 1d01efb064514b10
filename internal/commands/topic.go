package commands

import "github.com/tidings-io/tidings/internal/events"

// Topic is the state of a topic's description. Topics also come into being by
// being subscribed or published to; that leaves no trace here.
type Topic struct {
	Described   bool
	Description string
}

// Evolve folds one event.
func (t Topic) Evolve(e events.TopicEvent, _ events.Position) Topic {
	if e, ok := e.(events.TopicDescribed); ok {
		return Topic{Described: true, Description: e.Description}
	}
	return t
}

// DescribeTopic says what a topic is for.
type DescribeTopic struct {
	Topic       events.Topic
	Description string
}

// Stream is the topic's own.
func (c DescribeTopic) Stream() events.StreamName { return events.TopicStream(c.Topic) }

// Decide describes the topic unless it is described so already.
func (c DescribeTopic) Decide(t Topic) ([]events.TopicEvent, error) {
	if t.Described && t.Description == c.Description {
		return nil, nil
	}
	return []events.TopicEvent{events.TopicDescribed(c)}, nil
}
