package workload

// order decides which ops may run: an op is ready once every earlier op whose order with it matters is done. It is a
// pure structure without locks or clock, owned by one goroutine. It remembers ops that are not done, and a few words a
// topic.
type order struct {
	topics map[string]*topicOrder
	pairs  map[pair]*node // the last op of each pair, while it is not done
}

// topicOrder is what later ops on a topic must wait for.
type topicOrder struct {
	publish *node              // the last publish, while it is not done
	changes map[*node]struct{} // subscribes and unsubscribes since then that are not done
}

// node is an op that was added and is not done.
type node struct {
	op      *Op
	waitFor int     // ops before it that are not done
	before  []*node // ops that wait for it
}

func newOrder() *order {
	return &order{topics: map[string]*topicOrder{}, pairs: map[pair]*node{}}
}

// add takes the next op of the file. It is ready at once if the node waits for nothing.
func (o *order) add(op *Op) *node {
	n := &node{op: op}
	if op.Kind == Publish {
		o.addPublish(n)
	} else {
		o.addChange(n)
	}
	return n
}

// done takes an op that ran and returns those that are ready now.
func (o *order) done(n *node) []*node {
	o.forget(n)
	var ready []*node
	for _, next := range n.before {
		next.waitFor--
		if next.waitFor == 0 {
			ready = append(ready, next)
		}
	}
	return ready
}

// addPublish makes a publish wait for the last publish to each of its topics and for the changes since. Everything
// before those is done or waited for by them.
func (o *order) addPublish(n *node) {
	for _, name := range n.op.Topics {
		topic := o.topic(name)
		n.after(topic.publish)
		for change := range topic.changes {
			n.after(change)
		}
		topic.publish = n
		clear(topic.changes)
	}
}

// addChange makes a change wait for the last op of its pair and for the last publish to its topic.
func (o *order) addChange(n *node) {
	topic := o.topic(n.op.Topic)
	n.after(topic.publish)
	n.after(o.pairs[n.op.pair()])
	topic.changes[n] = struct{}{}
	o.pairs[n.op.pair()] = n
}

func (o *order) forget(n *node) {
	if n.op.Kind == Publish {
		for _, name := range n.op.Topics {
			if topic := o.topic(name); topic.publish == n {
				topic.publish = nil
			}
		}
		return
	}
	delete(o.topic(n.op.Topic).changes, n)
	if o.pairs[n.op.pair()] == n {
		delete(o.pairs, n.op.pair())
	}
}

func (o *order) topic(name string) *topicOrder {
	t := o.topics[name]
	if t == nil {
		t = &topicOrder{changes: map[*node]struct{}{}}
		o.topics[name] = t
	}
	return t
}

// after makes n wait for earlier, if there is one.
func (n *node) after(earlier *node) {
	if earlier == nil {
		return
	}
	earlier.before = append(earlier.before, n)
	n.waitFor++
}
