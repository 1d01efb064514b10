package live

import (
	"slices"

	"github.com/tidings-io/tidings/internal/events"
)

// fold keeps the event in the window and tells the readers it concerns, and says how
// many those are. mu must be held.
func (h *Hub) fold(e *logged) (told int) {
	h.window.add(e)
	switch ev := e.event.(type) {
	case events.SubscriptionEvent:
		h.subscription(e.position, ev)
	case events.Published:
		return h.deliver(e, ev.To, e.position, ev.Severity)
	case events.Retracted:
		return h.deliver(e, ev.To, ev.PublishedPosition, ev.Severity)
	case events.PreferencesSet:
		if m := h.members[ev.User]; m != nil && e.position > m.known {
			m.prefer(ev, e.position)
		}
	case events.InboxEvent:
		if m := h.members[ev.On().User]; m != nil {
			return h.tell(m, e)
		}
	case events.EventSkipped:
		h.unfold(e.position, ev)
	}
	return 0
}

func (h *Hub) subscription(at events.Position, e events.SubscriptionEvent) {
	user, topic := subscription(e)
	m := h.members[user]
	if m == nil || at <= m.known {
		return
	}
	h.index(m, topic, m.subscribe(e, at))
}

// deliver tells everyone who was reached at a position, each once, however many
// targets reach them.
func (h *Hub) deliver(e *logged, to []events.Target, at events.Position, severity events.Severity) (told int) {
	for _, t := range to {
		if t.User != "" {
			if m := h.members[t.User]; m != nil {
				told += h.tell(m, e)
			}
			continue
		}
		for m, ms := range h.topics[t.Topic] {
			if ms.admits(at, severity, e.judged) {
				told += h.tell(m, e)
			}
		}
	}
	return told
}

// tell offers the event to the user's readers, who take it once, and says how many of
// them will hear of it now. A reader whose queue is full leaves the maps; it comes back
// by catching up.
func (h *Hub) tell(m *member, e *logged) (told int) {
	f := e.frame(m.user)
	for _, r := range slices.Backward(m.readers) { // backwards, because detach takes the reader out of them
		switch r.offer(f, h.Limits.QueueFrames, h.Limits.QueueBytes) {
		case queued:
			told++
		case known:
		case full:
			h.Metrics.overflows.Inc()
			h.detach(r)
		}
	}
	return told
}

// enter puts a reader into the maps. What the hub knows of a user already is
// never replaced, neither by an older snapshot nor by a newer one: the hub folds
// whatever a newer one has in addition before it matters. mu must be held.
func (h *Hub) enter(known *member, r *reader) {
	m := h.members[known.user]
	if m == nil {
		m = known
		h.members[m.user] = m
		for topic, ms := range m.topics {
			h.index(m, topic, ms)
		}
	}
	m.readers = append(m.readers, r)
	r.member = m
}

// detach takes a reader out of the maps, and its user with the last of them. mu
// must be held.
func (h *Hub) detach(r *reader) {
	m := r.member
	if m == nil {
		return
	}
	r.member = nil
	for i, other := range m.readers {
		if other == r {
			last := len(m.readers) - 1
			m.readers[i], m.readers[last] = m.readers[last], nil
			m.readers = m.readers[:last]
			break
		}
	}
	if len(m.readers) == 0 && h.members[m.user] == m {
		delete(h.members, m.user)
		h.unindex(m)
	}
}

func (h *Hub) index(m *member, topic events.Topic, ms *membership) {
	of := h.topics[topic]
	if of == nil {
		of = make(map[*member]*membership)
		h.topics[topic] = of
	}
	of[m] = ms
}

func (h *Hub) unindex(m *member) {
	for topic := range m.topics {
		delete(h.topics[topic], m)
		if len(h.topics[topic]) == 0 {
			delete(h.topics, topic)
		}
	}
}
