package queries

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/filter"
)

// explainer gathers what has to do with one notification and one user.
type explainer struct {
	id      uuid.UUID
	user    events.User
	streams Streams
	now     time.Time

	retained  *bool                               // see ExplainState
	skipped   map[events.Position]events.Recorded // what operators had passed over, by whose order
	publish   events.Recorded
	published events.Published
	candidate *filter.Candidate
	retracted *events.Recorded
	mutes     []events.Recorded // the user's PreferencesSet
	topics    []standing        // of each topic it was sent to, once
	changes   []events.Recorded // what the user did in their inbox after the publish
	events    int               // read so far
}

// maxExplained bounds what is read for one explanation: somebody's inbox may have
// seen more changes than anybody could read.
const maxExplained = 200_000

func (x *explainer) read(ctx context.Context) error {
	for _, part := range []func(context.Context) error{x.readSkipped, x.readNotification, x.readMutes, x.readTopics} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	if !x.received() {
		return nil
	}
	return x.readChanges(ctx)
}

// each gives the events of a stream to take, oldest first.
func (x *explainer) each(ctx context.Context, stream events.StreamName, from events.Revision, take func(events.Recorded)) error {
	for s, err := range x.streams.Read(ctx, stream, from) {
		if err != nil {
			return err
		}
		if x.events++; x.events > maxExplained {
			return fmt.Errorf("%w: explaining takes more than %d events", ErrTooFar, maxExplained)
		}
		r, err := events.Decode(s)
		if _, passed := x.skipped[s.Position]; err != nil && passed {
			continue
		}
		if err != nil {
			return err
		}
		take(r)
	}
	return nil
}

// counting is each without what operators had passed over.
func (x *explainer) counting(ctx context.Context, stream events.StreamName, take func(events.Recorded)) error {
	return x.each(ctx, stream, 0, func(r events.Recorded) {
		if _, passed := x.skipped[r.Position]; !passed {
			take(r)
		}
	})
}

func (x *explainer) readSkipped(ctx context.Context) error {
	x.skipped = map[events.Position]events.Recorded{}
	return x.each(ctx, events.ProjectionStream("inbox"), 0, func(r events.Recorded) {
		if e, ok := r.Event.(events.EventSkipped); ok {
			x.skipped[e.Position] = r
		}
	})
}

func (x *explainer) readNotification(ctx context.Context) error {
	birth, own := events.BirthStream(x.id), events.NotificationStream(x.id)
	if err := x.each(ctx, birth, 0, x.life); err != nil {
		return err
	}
	if x.publish.Event == nil {
		return ErrNotFound
	}
	if birth == own {
		return nil
	}
	return x.each(ctx, own, 0, x.life)
}

// life takes an event of the notification, or of another of its batch.
func (x *explainer) life(r events.Recorded) {
	switch e := r.Event.(type) {
	case events.Published:
		if e.NotificationID == x.id && x.publish.Event == nil {
			x.publish, x.published, x.candidate = r, e, filter.Of(e)
		}
	case events.Retracted:
		if _, passed := x.skipped[r.Position]; e.NotificationID == x.id && !passed && x.retracted == nil {
			x.retracted = &r
		}
	}
}

func (x *explainer) readMutes(ctx context.Context) error {
	return x.counting(ctx, events.ContactStream(x.user), func(r events.Recorded) {
		if _, ok := r.Event.(events.PreferencesSet); ok && r.Position < x.publish.Position {
			x.mutes = append(x.mutes, r)
		}
	})
}

func (x *explainer) readTopics(ctx context.Context) error {
	for _, to := range x.published.To {
		known := slices.ContainsFunc(x.topics, func(s standing) bool { return s.topic == to.Topic })
		if to.Topic == "" || known {
			continue
		}
		s := standing{topic: to.Topic, muted: x.muted(to.Topic)}
		err := x.counting(ctx, events.SubscriptionStream(x.user, to.Topic), func(r events.Recorded) { s.take(r, x.publish.Position) })
		if err != nil {
			return err
		}
		s.judge(x)
		x.topics = append(x.topics, s)
	}
	return nil
}

// muted is the event by which the topic was muted at the publish; nil where it was
// not.
func (x *explainer) muted(topic events.Topic) *events.Recorded {
	var by *events.Recorded
	for _, r := range x.mutes {
		e, _ := r.Event.(events.PreferencesSet)
		switch muted := slices.Contains(e.MutedTopics, topic); {
		case !muted:
			by = nil
		case by == nil:
			by = &r
		}
	}
	return by
}

// readChanges reads the user's inbox stream from the publish on.
func (x *explainer) readChanges(ctx context.Context) error {
	stream := events.InboxStream(x.user)
	from, err := x.after(ctx, stream, x.publish.Position)
	if err != nil {
		return err
	}
	return x.each(ctx, stream, from, func(r events.Recorded) {
		if _, passed := x.skipped[r.Position]; !passed {
			x.changes = append(x.changes, r)
		}
	})
}

// after finds the first revision of a stream above a position, by some forty reads
// of one event: an inbox's stream holds all that a user ever did.
func (x *explainer) after(ctx context.Context, stream events.StreamName, position events.Position) (events.Revision, error) {
	var failed error
	above := func(revision int) bool {
		if failed != nil {
			return true
		}
		for s, err := range x.streams.Read(ctx, stream, events.Revision(revision)) { //nolint:gosec // never negative
			failed = err
			return err != nil || s.Position > position
		}
		return true // the stream has ended
	}
	most := 1
	for !above(most) {
		most *= 2
	}
	return events.Revision(sort.Search(most, above)), failed //nolint:gosec // as above
}
