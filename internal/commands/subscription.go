package commands

import "github.com/tidings-io/tidings/internal/events"

// Subscription is the state of one user's subscription to one topic.
type Subscription struct {
	Active bool
	Since  events.Position // the position of Subscribed, kept through changes
	events.Rules
}

// Evolve folds one event.
func (s Subscription) Evolve(e events.SubscriptionEvent, at events.Position) Subscription {
	switch e := e.(type) {
	case events.Subscribed:
		return Subscription{Active: true, Since: at, Rules: e.Rules}
	case events.SubscriptionChanged:
		s.Rules = e.Rules
		return s
	case events.Unsubscribed:
		return Subscription{}
	}
	return s
}

// Subscribe makes a user a subscriber with exactly these rules.
type Subscribe struct {
	User  events.User
	Topic events.Topic
	Rules events.Rules
}

// Stream is the subscription's own.
func (c Subscribe) Stream() events.StreamName { return events.SubscriptionStream(c.User, c.Topic) }

// Decide begins the subscription or replaces its rules.
func (c Subscribe) Decide(s Subscription) ([]events.SubscriptionEvent, error) {
	switch {
	case !s.Active:
		return []events.SubscriptionEvent{events.Subscribed{User: c.User, Topic: c.Topic, Rules: c.Rules}}, nil
	case s.Rules != c.Rules:
		return []events.SubscriptionEvent{events.SubscriptionChanged{User: c.User, Topic: c.Topic, Rules: c.Rules}}, nil
	}
	return nil, nil
}

// Join makes a user a subscriber and leaves the rules of one who already is.
type Join struct {
	User  events.User
	Topic events.Topic
}

// Stream is the subscription's own.
func (c Join) Stream() events.StreamName { return events.SubscriptionStream(c.User, c.Topic) }

// Decide begins the subscription unless there is one.
func (c Join) Decide(s Subscription) ([]events.SubscriptionEvent, error) {
	if s.Active {
		return nil, nil
	}
	return []events.SubscriptionEvent{events.Subscribed{User: c.User, Topic: c.Topic}}, nil
}

// Unsubscribe ends a subscription.
type Unsubscribe struct {
	User  events.User
	Topic events.Topic
}

// Stream is the subscription's own.
func (c Unsubscribe) Stream() events.StreamName { return events.SubscriptionStream(c.User, c.Topic) }

// Decide ends the subscription if there is one.
func (c Unsubscribe) Decide(s Subscription) ([]events.SubscriptionEvent, error) {
	if !s.Active {
		return nil, nil
	}
	return []events.SubscriptionEvent{events.Unsubscribed{User: c.User, Topic: c.Topic}}, nil
}
