package projections

import (
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/filter"
	"github.com/tidings-io/tidings/internal/inbox"
)

// fold walks a batch in the order of the log and says what it does to the
// tables. It is pure: what it needs to know is in known.
type fold struct {
	storeLimit int64
	known      known
	ids        ids
	clock      inbox.Clock
	rows       rows
	fanOut     int64 // inbox rows so far, at most
	covered    map[mark]sweep
	preferred  map[events.User]set[events.Topic] // muted topics set in this batch
	reachedNow []*audience                       // room for one answer of reached
}

// ids are the last that were given out.
type ids struct{ user, topic, audience int64 }

// maxFanOut is how many inbox rows one transaction writes, but for a single
// notification that reaches more: about two seconds of work.
const maxFanOut = 500_000

func newFold(storeLimit int, known known) *fold {
	return &fold{
		storeLimit: int64(storeLimit), known: known, ids: known.ids, clock: known.clock,
		covered: map[mark]sweep{}, preferred: map[events.User]set[events.Topic]{},
		rows: rows{preferences: map[*user]preferencesRow{}},
	}
}

// all folds events until they are many enough for one transaction, and returns
// how many that is: at least one.
func (f *fold) all(evs []events.Recorded) (int, error) {
	for i, r := range evs {
		if i > 0 && f.fanOut+f.reach(r.Event) > maxFanOut {
			return i, nil
		}
		if f.clock.Pass(r.Position, r.At) {
			f.rows.ticks = append(f.rows.ticks, f.clock.Last)
		}
		if err := f.event(r); err != nil {
			return i, err
		}
	}
	return len(evs), nil
}

func (f *fold) event(r events.Recorded) error {
	at := int64(r.Position) //nolint:gosec // the feed lets nothing above MaxPosition pass
	switch e := r.Event.(type) {
	case events.Subscribed:
		return f.subscribed(at, e)
	case events.SubscriptionChanged:
		return f.subscriptionChanged(at, e)
	case events.Unsubscribed:
		return f.unsubscribed(at, e)
	case events.Published:
		return f.published(at, r, e)
	case events.Retracted:
		return f.retracted(at, e)
	case events.TopicDescribed:
		f.described(e)
	case events.PreferencesSet:
		return f.preferencesSet(at, e)
	case events.InboxEvent:
		f.changed(at, r, e)
	}
	return nil
}

func (f *fold) subscribed(at int64, e events.Subscribed) error {
	p := f.known.open[pair{e.Topic, e.User}]
	if p != nil {
		return &contradiction{fmt.Sprintf("%s subscribed to %s twice", e.User, e.Topic)}
	}
	a := f.audience(f.topic(e.Topic), text(e.Filter))
	f.join(a, 1)
	f.open(pair{e.Topic, e.User}, &period{
		user: f.user(e.User), audience: a, from: at, until: forever, since: at,
		minSeverity: int16(e.MinSeverity), muted: f.muted(pair{e.Topic, e.User}),
	})
	return nil
}

func (f *fold) subscriptionChanged(at int64, e events.SubscriptionChanged) error {
	p := f.known.open[pair{e.Topic, e.User}]
	if p == nil {
		return &contradiction{fmt.Sprintf("%s changed a subscription to %s without having one", e.User, e.Topic)}
	}
	f.close(p, at)
	next := *p
	next.audience = f.audience(p.audience.topic, text(e.Filter))
	next.from, next.until, next.minSeverity, next.stored = at, forever, int16(e.MinSeverity), false
	f.join(p.audience, -1)
	f.join(next.audience, 1)
	f.open(pair{e.Topic, e.User}, &next)
	return nil
}

func (f *fold) unsubscribed(at int64, e events.Unsubscribed) error {
	p := f.known.open[pair{e.Topic, e.User}]
	if p == nil {
		return &contradiction{fmt.Sprintf("%s unsubscribed from %s without a subscription", e.User, e.Topic)}
	}
	f.join(p.audience, -1)
	f.close(p, at)
	delete(f.known.open, pair{e.Topic, e.User})
	return nil
}

func (f *fold) open(of pair, p *period) {
	f.known.open[of] = p
	f.known.note(of, p)
	f.rows.opened = append(f.rows.opened, p)
}

func (f *fold) close(p *period, at int64) {
	p.until = at
	if p.stored {
		f.rows.closed = append(f.rows.closed, p)
	}
}

func (f *fold) described(e events.TopicDescribed) {
	t := f.topic(e.Topic)
	description := text(e.Description)
	t.description = &description
	f.topicChanged(t)
}

func (f *fold) topicChanged(t *topic) {
	if !t.changed && !t.added {
		t.changed = true
		f.rows.topics = append(f.rows.topics, t)
	}
}

// reach is how many inbox rows an event writes at most.
func (f *fold) reach(e events.Event) int64 {
	p, ok := e.(events.Published)
	if !ok {
		return 0
	}
	var n int64
	for _, to := range p.To {
		if to.User != "" {
			n++
		} else if t := f.known.topics[to.Topic]; t != nil {
			n += f.stored(t)
		}
	}
	return n
}

// stored is how many subscribers a topic has in audiences that are small enough
// to be stored.
func (f *fold) stored(t *topic) int64 {
	var n int64
	for _, a := range t.audiences {
		if a.subscribers <= f.storeLimit {
			n += a.subscribers
		}
	}
	return n
}

func (f *fold) published(at int64, r events.Recorded, e events.Published) error {
	if f.known.notifications[e.NotificationID] != nil {
		return &contradiction{fmt.Sprintf("notification %s was published twice", e.NotificationID)}
	}
	f.fanOut += f.reach(e)
	f.known.notifications[e.NotificationID] = &notification{position: at}
	f.rows.notifications = append(f.rows.notifications, notificationRow{position: at, at: r.At, Published: e})
	to := f.targets(at, e)
	f.rows.userTargets = append(f.rows.userTargets, to.users...)
	switch {
	case len(to.stored) == 0:
		f.rows.direct = append(f.rows.direct, to.users...)
	case to.topics == 1 && len(to.users) == 0:
		f.rows.members = append(f.rows.members, to.stored...)
	default:
		f.rows.mixed = append(f.rows.mixed, to.stored...)
		f.rows.mixedDirect = append(f.rows.mixedDirect, to.users...)
	}
	return nil
}

// targets are whom one notification is for, each once.
type targets struct {
	topics int
	users  []userTarget
	stored []audienceTarget // of those audiences whose members are written down
}

// targets notes which audiences a notification reaches, and which way.
func (f *fold) targets(at int64, e events.Published) (all targets) {
	var (
		candidate = filter.Of(e)
		ends      = e.ExpiresAt != nil
	)
	for i, to := range e.To {
		if slices.Contains(e.To[:i], to) {
			continue
		}
		if to.User != "" {
			all.users = append(all.users, userTarget{f.user(to.User), at, ends})
			continue
		}
		all.topics++
		for _, a := range f.reached(f.topic(to.Topic), candidate) {
			target := audienceTarget{
				audience: a, position: at, severity: int16(e.Severity), ends: ends, stored: a.subscribers <= f.storeLimit,
			}
			f.rows.audienceTargets = append(f.rows.audienceTargets, target)
			if target.stored && a.subscribers > 0 {
				all.stored = append(all.stored, target)
			}
		}
	}
	return all
}

func (f *fold) retracted(at int64, e events.Retracted) error {
	n := f.known.notifications[e.NotificationID]
	if n == nil {
		return &contradiction{fmt.Sprintf("notification %s was retracted before it was published", e.NotificationID)}
	}
	if !n.retracted {
		n.retracted = true
		f.rows.retractions = append(f.rows.retractions, retraction{at, n.position})
	}
	return nil
}

func (f *fold) changed(at int64, r events.Recorded, e events.InboxEvent) {
	items, change := e.On(), inbox.NewChange(e).Change
	u := f.user(items.User)
	f.rows.changes = append(f.rows.changes, changeRow{
		user: u, position: at, at: r.At, change: change, ids: items.IDs, through: int64(items.Through), //nolint:gosec // parsed as a position
	})
	named := make(set[uuid.UUID], len(items.IDs))
	for _, id := range items.IDs {
		if _, again := named[id]; again {
			continue
		}
		named.add(id)
		f.rows.named = append(f.rows.named, namedItem{user: u, position: at, change: change, at: r.At, id: id})
	}
	if items.Through > 0 {
		f.sweep(sweep{
			user: u, position: at, change: change, at: r.At,
			upto: min(int64(items.Through), at-1), //nolint:gosec // parsed as a position
		})
	}
	f.uncover(u, change)
}

// user is the one of this name, made if it is new.
func (f *fold) user(name events.User) *user {
	u := f.known.users[name]
	if u == nil {
		f.ids.user++
		u = &user{id: f.ids.user, name: string(name)}
		f.known.users[name] = u
		f.rows.newUsers = append(f.rows.newUsers, u)
	}
	return u
}

// topic is the one of this name, made if it is new.
func (f *fold) topic(name events.Topic) *topic {
	t := f.known.topics[name]
	if t == nil {
		f.ids.topic++
		t = &topic{id: f.ids.topic, name: string(name), added: true}
		f.known.topics[name] = t
		f.rows.newTopics = append(f.rows.newTopics, t)
	}
	return t
}
