package workload

import (
	"maps"
	"slices"
)

// Expectation is what a correct system ends with: each publish reaches, once each, the users subscribed to any of its
// topics at that moment.
type Expectation struct {
	Outcome Outcome
	// Inboxes holds the publish ids of each user, in the file's order. Users who receive nothing are absent.
	Inboxes map[string][]string
}

// Expect computes it from the ops alone, one after another, in memory.
func Expect(ops []Op) *Expectation {
	e := &Expectation{Inboxes: map[string][]string{}}
	members := map[string]map[string]bool{} // by topic
	for i := range ops {
		e.apply(&ops[i], members)
	}
	for _, users := range members {
		e.Outcome.ActiveSubscriptions += len(users)
	}
	e.Outcome.Topics = len(members)
	e.Outcome.countItems(e.Inboxes)
	return e
}

func (e *Expectation) apply(op *Op, members map[string]map[string]bool) {
	topics := op.Topics
	if op.Kind != Publish {
		topics = []string{op.Topic}
	}
	for _, topic := range topics {
		if members[topic] == nil {
			members[topic] = map[string]bool{}
		}
	}
	switch op.Kind {
	case Subscribe:
		e.Outcome.Subscribes++
		members[op.Topic][op.User] = true
	case Unsubscribe:
		e.Outcome.Unsubscribes++
		delete(members[op.Topic], op.User)
	case Publish:
		e.Outcome.Publishes++
		reached := map[string]bool{}
		for _, topic := range op.Topics {
			maps.Copy(reached, members[topic])
		}
		for user := range reached {
			e.Inboxes[user] = append(e.Inboxes[user], op.ID)
		}
	}
}

// users returns everybody a workload names as a subscriber, sorted.
func users(ops []Op) []string {
	named := map[string]bool{}
	for i := range ops {
		if ops[i].Kind != Publish {
			named[ops[i].User] = true
		}
	}
	return slices.Sorted(maps.Keys(named))
}
