package projections

import (
	"crypto/sha256"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/filter"
)

// audience is those subscribers of a topic that have the same filter.
type audience struct {
	id          int64
	topic       *topic
	filter      string
	subscribers int64
	added       bool // it is new in this batch
	changed     bool
}

// digest stands for a filter in the index; nothing stands for ”.
func digest(filter string) []byte {
	if filter == "" {
		return []byte{}
	}
	sum := sha256.Sum256([]byte(filter))
	return sum[:]
}

// audience is the one of this topic and filter, made if it is new.
func (f *fold) audience(t *topic, filter string) *audience {
	a := t.audiences[filter]
	if a == nil {
		f.ids.audience++
		a = &audience{id: f.ids.audience, topic: t, filter: filter, added: true}
		t.add(a)
		f.rows.newAudiences = append(f.rows.newAudiences, a)
	}
	return a
}

// join counts a subscriber who comes to an audience, or goes with -1.
func (f *fold) join(a *audience, n int64) {
	a.subscribers += n
	a.topic.subscribers += n
	f.topicChanged(a.topic)
	if !a.changed && !a.added {
		a.changed = true
		f.rows.audiences = append(f.rows.audiences, a)
	}
}

// reached are the audiences of a topic that a notification reaches: whoever has
// no filter, always, and those with subscribers whose filter lets it through.
func (f *fold) reached(t *topic, candidate *filter.Candidate) []*audience {
	f.reachedNow = append(f.reachedNow[:0], f.audience(t, ""))
	for text, a := range t.audiences {
		if text != "" && a.subscribers > 0 && candidate.Matches(text, events.Topic(t.name)) {
			f.reachedNow = append(f.reachedNow, a)
		}
	}
	return f.reachedNow
}
