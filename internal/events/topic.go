package events

// TopicEvent is an event of a topic's stream.
type TopicEvent interface {
	Event
	topic()
}

// TopicDescribed says what a topic is for.
type TopicDescribed struct {
	Topic       Topic  `json:"topic"`
	Description string `json:"description"`
}

// Type is the stored type name.
func (TopicDescribed) Type() string { return "TopicDescribed" }

func (TopicDescribed) topic() {}
