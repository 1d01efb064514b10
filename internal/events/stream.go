package events

import (
	"strings"

	"github.com/google/uuid"
)

// StreamName names a stream: "<category>-<rest>", or "store".
type StreamName string

// The categories of streams: what stands before a stream name's first hyphen.
const (
	CategorySubscription = "subscription"
	CategoryNotification = "notification"
	CategoryBatch        = "batch"
	CategoryInbox        = "inbox"
	CategoryTopic        = "topic"
	CategoryContact      = "contact"
	CategoryProjection   = "projection"
	CategoryKey          = "key"
	CategoryTokens       = "tokens"
)

// StoreStream holds the one StoreNamed that identifies a log.
const StoreStream StreamName = "store"

// SubscriptionStream holds the life of one user's subscription to one topic. A
// user's name has no slash, so the two parts cannot be confused.
func SubscriptionStream(user User, topic Topic) StreamName {
	return StreamName(CategorySubscription + "-" + string(user) + "/" + string(topic))
}

// NotificationStream holds the life of one notification.
func NotificationStream(id uuid.UUID) StreamName {
	return StreamName(CategoryNotification + "-" + id.String())
}

// BatchStream holds the notifications of one batch call.
func BatchStream(id uuid.UUID) StreamName {
	return StreamName(CategoryBatch + "-" + id.String())
}

// InboxStream holds what a user did to the items of their inbox.
func InboxStream(user User) StreamName {
	return StreamName(CategoryInbox + "-" + string(user))
}

// TopicStream holds what was said about a topic.
func TopicStream(topic Topic) StreamName {
	return StreamName(CategoryTopic + "-" + string(topic))
}

// ContactStream holds how a user wants to be reached, and by what not.
func ContactStream(user User) StreamName {
	return StreamName(CategoryContact + "-" + string(user))
}

// ProjectionStream holds what operators ordered of a projection.
func ProjectionStream(name string) StreamName {
	return StreamName(CategoryProjection + "-" + name)
}

// KeyStream holds the life of one API key.
func KeyStream(id KeyID) StreamName {
	return StreamName(CategoryKey + "-" + string(id))
}

// TokensStream holds when a user's tokens were revoked.
func TokensStream(user User) StreamName {
	return StreamName(CategoryTokens + "-" + string(user))
}

// Category is what stands before the first hyphen, or the whole name.
func (s StreamName) Category() string {
	category, _, _ := strings.Cut(string(s), "-")
	return category
}
