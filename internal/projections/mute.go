package projections

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/tidings-io/tidings/internal/events"
)

// muted says whether the user has muted the topic at this point of the batch.
func (f *fold) muted(of pair) bool {
	if now, set := f.preferred[of.user]; set {
		_, muted := now[of.topic]
		return muted
	}
	_, muted := f.known.muted[of]
	return muted
}

// preferencesSet splits the open periods of those topics that the user mutes or
// lets through again.
func (f *fold) preferencesSet(at int64, e events.PreferencesSet) error {
	settings, err := json.Marshal(e.Preferences)
	if err != nil {
		return &contradiction{fmt.Sprintf("the preferences of %s have no form: %v", e.User, err)}
	}
	now := make(set[events.Topic], len(e.MutedTopics))
	for _, topic := range e.MutedTopics {
		now.add(topic)
	}
	f.preferred[e.User] = now
	f.rows.preferences[f.user(e.User)] = preferencesRow{at, mutedLines(now), string(settings)}
	for topic := range now {
		f.mute(at, pair{topic, e.User}, true)
	}
	for topic := range f.known.mutes[e.User] {
		if _, still := now[topic]; !still {
			f.mute(at, pair{topic, e.User}, false)
		}
	}
	return nil
}

// mute begins a new period where there is one and that changes it.
func (f *fold) mute(at int64, of pair, muted bool) {
	p := f.known.open[of]
	if p == nil || p.muted == muted {
		return
	}
	f.close(p, at)
	next := *p
	next.from, next.until, next.muted, next.stored = at, forever, muted, false
	f.open(of, &next)
}

// mutedLines are the topics in the order of their bytes, so that a set has one form.
func mutedLines(topics set[events.Topic]) string {
	names := list(topics)
	slices.Sort(names)
	return text(strings.Join(names, "\n"))
}
