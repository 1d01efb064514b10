package projections

import (
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
)

// askWriter reads where another writer, or this one before it was interrupted,
// stopped giving out ids, and where the clock stands.
func (k *known) askWriter(b *pgx.Batch) {
	b.Queue(sqlWriterKnown, inboxName).QueryRow(func(row pgx.Row) error {
		var latest, last *time.Time
		err := row.Scan(&k.ids.user, &k.ids.topic, &k.ids.audience,
			&latest, &k.clock.Events, &k.clock.Last.Position, &last, &k.clock.Last.Events)
		if err == nil && latest != nil && last != nil {
			k.clock.Latest, k.clock.Last.At = latest.UTC(), last.UTC()
		}
		return err
	})
}

// latest is the clock's, if it has one.
func latest(c inbox.Clock) *time.Time {
	if c.Events == 0 {
		return nil
	}
	return &c.Latest
}

func (k *known) askUsers(b *pgx.Batch, m mentions) {
	b.Queue(sqlUsersKnown, list(m.users)).Query(each(func(row pgx.Rows) error {
		u := new(user)
		err := row.Scan(&u.name, &u.id)
		k.users[events.User(u.name)] = u
		return err
	}))
}

func (k *known) askTopics(b *pgx.Batch, m mentions) {
	b.Queue(sqlTopicsKnown, list(m.topics)).Query(each(func(row pgx.Rows) error {
		t := new(topic)
		err := row.Scan(&t.name, &t.id, &t.subscribers)
		k.topics[events.Topic(t.name)] = t
		return err
	}))
}

func (k *known) askNotifications(b *pgx.Batch, m mentions) {
	ids := make([]uuid.UUID, 0, len(m.notifications))
	for id := range m.notifications {
		ids = append(ids, id)
	}
	b.Queue(sqlNotificationsKnown, ids).Query(each(func(row pgx.Rows) error {
		var (
			id uuid.UUID
			n  notification
		)
		err := row.Scan(&id, &n.position, &n.retracted)
		k.notifications[id] = &n
		return err
	}))
}

// askAudiences must come after askTopics, as what follows.
func (k *known) askAudiences(b *pgx.Batch, m mentions) {
	read := each(func(row pgx.Rows) error {
		var (
			topic events.Topic
			a     audience
		)
		if err := row.Scan(&topic, &a.id, &a.filter, &a.subscribers); err != nil {
			return err
		}
		a.topic = k.topics[topic]
		a.topic.add(&a)
		return nil
	})
	topics, digests := make([]string, 0, len(m.audiences)), make([][]byte, 0, len(m.audiences))
	for a := range m.audiences {
		topics, digests = append(topics, string(a.topic)), append(digests, digest(a.filter))
	}
	b.Queue(sqlAudiencesKnown, topics, digests).Query(read)
	if len(m.published) > 0 {
		b.Queue(sqlAudiencesFiltered, list(m.published)).Query(read)
	}
}

// askPeriods must come after askAudiences, so that each is known by one pointer.
func (k *known) askPeriods(b *pgx.Batch, m mentions) {
	topics, users := make([]string, 0, len(m.pairs)), make([]string, 0, len(m.pairs))
	for p := range m.pairs {
		topics, users = append(topics, string(p.topic)), append(users, string(p.user))
	}
	b.Queue(sqlPeriodsKnown, topics, users).Query(each(k.period))
}

// askMuted reads those periods that a change of preferences may let through.
func (k *known) askMuted(b *pgx.Batch, m mentions) {
	b.Queue(sqlPeriodsMuted, list(m.preferring)).Query(each(k.period))
}

// period reads an open one, with its topic and audience where they are not known.
func (k *known) period(row pgx.Rows) error {
	var (
		of pair
		p  = period{until: forever, stored: true}
		a  audience
		t  topic
	)
	if err := row.Scan(&of.topic, &of.user, &p.from, &p.since, &p.minSeverity, &p.muted,
		&a.id, &a.filter, &a.subscribers, &t.id, &t.subscribers); err != nil {
		return err
	}
	if k.topics[of.topic] == nil {
		t.name = string(of.topic)
		k.topics[of.topic] = &t
	}
	a.topic = k.topics[of.topic]
	if a.topic.audiences[a.filter] == nil {
		a.topic.add(&a)
	}
	p.user, p.audience = k.users[of.user], a.topic.audiences[a.filter]
	if k.open[of] == nil {
		k.open[of] = &p
		k.note(of, &p)
	}
	return nil
}

// askMutes reads which of the subscriptions that begin are to topics that their
// users have muted.
func (k *known) askMutes(b *pgx.Batch, m mentions) {
	topics, users := make([]string, 0, len(m.begun)), make([]string, 0, len(m.begun))
	for p := range m.begun {
		topics, users = append(topics, string(p.topic)), append(users, string(p.user))
	}
	b.Queue(sqlMutesKnown, topics, users).Query(each(func(row pgx.Rows) error {
		var of pair
		err := row.Scan(&of.topic, &of.user)
		k.muted.add(of)
		return err
	}))
}

func list[T ~string](s set[T]) []string {
	all := make([]string, 0, len(s))
	for t := range s {
		all = append(all, string(t))
	}
	return all
}

// each reads all rows of an answer.
func each(read func(pgx.Rows) error) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		for rows.Next() {
			if err := read(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	}
}
