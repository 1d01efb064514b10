// Package replay reads the audit trail of a running Tidings over HTTP: it follows it (Follow), keeps it in a file
// (Export), and plays it into another instance as commands (Play), so that every inbox there ends as it is here.
//
// It shares no code with the server; what it knows of events is what the API shows of them.
//
// # What a replay keeps, and what not
//
// The events of subscriptions, preferences, notifications, topics and items become commands of the other instance's
// API. Ids, positions and times there are its own, and so is the actor: whoever replays. The request id of each command
// is the correlation id of the event it comes from, so that the two audit trails can be laid side by side. What belongs
// to an instance itself (its name, API keys, revoked tokens, orders to projections) is left out.
//
// # Order
//
// Publishes follow each other, one append after the other, as inboxes show them in the order of the log. A change of
// a subscription follows the one before it of the same user and topic and the earlier publishes to the topic, and a
// publish follows all earlier changes of its topics' subscriptions, and of preferences, as these mute topics. What a
// user does to items follows all earlier publishes, and keeps its order. All else runs side by side.
//
// # Stopping and running again
//
// Playing a stretch of a log again changes no inbox: publishes carry keys made of the ids of their events, and
// everything else sets what it says, in order, before anything new is published after it. So a Checkpoint may be behind
// what was done, at any moment, and never ahead of it.
package replay
