package events

// SubscriptionEvent is an event of a subscription's stream.
type SubscriptionEvent interface {
	Event
	subscription()
}

// Rules are what a subscriber asked of a subscription. The zero value lets
// everything through.
type Rules struct {
	// MinSeverity is the lowest severity that is delivered.
	MinSeverity Severity `json:"min_severity"`
	// Filter is an expression in CEL that a notification must match: see package
	// filter. Empty lets everything through.
	Filter string `json:"filter,omitempty"`
}

// written is the oldest version that can say this: a filter needs version 2, so
// that a program that does not know filters stops rather than deliver too much.
func (r Rules) written() int {
	if r.Filter == "" {
		return 1
	}
	return 2
}

// Subscribed begins a subscription: everything published to the topic after
// this event's position, and that its rules let through, reaches the user.
type Subscribed struct {
	User  User  `json:"user"`
	Topic Topic `json:"topic"`
	Rules
}

// SubscriptionChanged replaces the rules from its position on.
type SubscriptionChanged struct {
	User  User  `json:"user"`
	Topic Topic `json:"topic"`
	Rules
}

// Unsubscribed ends a subscription; items already received stay.
type Unsubscribed struct {
	User  User  `json:"user"`
	Topic Topic `json:"topic"`
}

// Type is the stored type name.
func (Subscribed) Type() string { return "Subscribed" }

// Type is the stored type name.
func (SubscriptionChanged) Type() string { return "SubscriptionChanged" }

// Type is the stored type name.
func (Unsubscribed) Type() string { return "Unsubscribed" }

func (Subscribed) subscription()          {}
func (SubscriptionChanged) subscription() {}
func (Unsubscribed) subscription()        {}
