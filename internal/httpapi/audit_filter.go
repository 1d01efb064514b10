package httpapi

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tidings-io/tidings/internal/events"
)

// clockSkew is how far the times of the log may step back, where it moves to a
// machine with another clock: so much later than its end a range is known to be over.
const clockSkew = time.Minute

// auditFilter picks events: what the store can judge, and what only their content
// tells.
type auditFilter struct {
	events.Filter

	user        events.User
	topic       events.Topic
	correlation string
	from, to    time.Time // zero: no bound; from is inclusive, to is not
}

// auditOtherNames are the parameters of those routes that pick nothing; of as_of, err says
// that it is not known.
var auditOtherNames = []string{"after", "cursor", "limit", "last_event_id", "wait_for", "as_of", "access_token"}

// auditFilterNames are the parameters that pick events, the same on every route.
var auditFilterNames = []string{"category", "stream", "type", "user", "topic", "correlation_id", "from", "to"}

// maxFilterBytes is longer than any name of ours and any request id.
const maxFilterBytes = 1024

// auditFilter reads what to pick. Nothing that was asked for is passed over: a word that
// is not known, or comes twice, would be answered with more than was meant.
func (q *ask) auditFilter() auditFilter {
	for _, name := range slices.Sorted(maps.Keys(q.values)) {
		given := q.values[name]
		switch {
		case !slices.Contains(auditFilterNames, name) && !slices.Contains(auditOtherNames, name):
			q.flaw(name, "is not known here")
		case len(given) > 1:
			q.flaw(name, "is given more than once")
		case len(given[0]) > maxFilterBytes:
			q.flaw(name, "has more than %d bytes", maxFilterBytes)
		}
	}
	f := auditFilter{
		Filter: events.Filter{
			Category: q.values.Get("category"), Stream: events.StreamName(q.values.Get("stream")), Type: q.values.Get("type"),
		},
		topic: q.topicFilter(), correlation: q.values.Get("correlation_id"),
		from: q.time("from"), to: q.time("to"),
	}
	if text := q.values.Get("user"); text != "" {
		user, err := events.ParseUser(text)
		if err != nil {
			q.flaw("user", "%s", err)
		}
		f.user = user
	}
	return f
}

// auditFilterText is the filter as it was asked for, to be recorded; nothing else of
// the query is in it.
func (q *ask) auditFilterText() string {
	asked := url.Values{}
	for _, name := range auditFilterNames {
		if value := q.values.Get(name); value != "" {
			asked.Set(name, value)
		}
	}
	return asked.Encode()
}

func (q *ask) time(name string) time.Time {
	text := q.values.Get(name)
	if text == "" {
		return time.Time{}
	}
	at, err := events.ParseTime(text)
	switch {
	case err != nil:
		q.flaw(name, "is an RFC 3339 time, such as 2026-01-31T12:00:00Z")
	case !inYears(at): // one of them is Go's word for no time at all
		q.flaw(name, "lies outside the years 1970 to 9999")
	}
	return at
}

// match says whether the filter picks an event that the store's part has picked.
func (f *auditFilter) match(s events.Stored) bool {
	at := toldTime(s)
	switch {
	case !f.from.IsZero() && at.Before(f.from), !f.to.IsZero() && !at.Before(f.to):
		return false
	case f.correlation != "" && (!mentions(s.Metadata, f.correlation) || metadataOf(s).CorrelationID != f.correlation):
		return false
	case f.user != "" && !f.concernsUser(s), f.topic != "" && !f.concernsTopic(s):
		return false
	}
	return true
}

// over says that nothing at or after this event is in the range any more.
func (f *auditFilter) over(s events.Stored) bool { return f.past(s.At) }

// past says that the range has ended by a clock.
func (f *auditFilter) past(now time.Time) bool { return !f.to.IsZero() && now.Sub(f.to) > clockSkew }

// concernsUser picks what is the user's own, what names them, and what they did.
func (f *auditFilter) concernsUser(s events.Stored) bool {
	switch s.Stream {
	case events.InboxStream(f.user), events.ContactStream(f.user), events.TokensStream(f.user):
		return true
	}
	if strings.HasPrefix(string(s.Stream), string(events.SubscriptionStream(f.user, ""))) {
		return true
	}
	name := string(f.user)
	return mentions(s.Metadata, name) && metadataOf(s).Actor == name ||
		mentions(s.Data, name) && names(s, events.Target{User: f.user})
}

// concernsTopic picks the topic's own stream, subscriptions to it, and what was
// published to it.
func (f *auditFilter) concernsTopic(s events.Stored) bool {
	switch s.Stream.Category() {
	case events.CategoryTopic:
		return s.Stream == events.TopicStream(f.topic)
	case events.CategorySubscription:
		_, topic, _ := strings.Cut(string(s.Stream), "/") // no user's name has a slash
		return topic == string(f.topic)
	}
	return mentions(s.Data, string(f.topic)) && names(s, events.Target{Topic: f.topic})
}

// mentions says whether JSON may hold the text: most events need not be decoded to
// know that they are about something else. JSON with escapes may hold it unseen.
func mentions(text []byte, name string) bool {
	return bytes.Contains(text, []byte(name)) || bytes.IndexByte(text, '\\') >= 0
}

// metadataOf is an event's metadata, as far as it can be read.
func metadataOf(s events.Stored) events.Metadata {
	var md events.Metadata
	if json.Unmarshal(s.Metadata, &md) != nil {
		return events.Metadata{}
	}
	return md
}
