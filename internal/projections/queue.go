package projections

import (
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// queue puts the statements that write the rows into b. Their order matters only
// where one reads what another wrote: periods end before their successors begin,
// members are read once the periods stand, marks once the inbox stands.
func (r *rows) queue(b *pgx.Batch) {
	queueTopics(b, r.topics)
	queuePeriods(b, r.closed, r.opened)
	queueNotifications(b, r.notifications)
	queueTargets(b, r.topicTargets, r.userTargets)
	r.queueInbox(b)
	queueRetractions(b, r.retractions)
	queueChanges(b, r.changes)
	queueMarks(b, r.named, r.swept)
}

func queueTopics(b *pgx.Batch, topics []*topic) {
	if len(topics) == 0 {
		return
	}
	b.Queue(sqlTopicsChange,
		column(topics, func(t *topic) int64 { return t.id }),
		column(topics, func(t *topic) int64 { return t.subscribers }),
		column(topics, func(t *topic) *string { return t.description }))
}

func queuePeriods(b *pgx.Batch, closed, opened []*period) {
	topicID := func(p *period) int64 { return p.topic.id }
	userID := func(p *period) int64 { return p.user.id }
	from := func(p *period) int64 { return p.from }
	until := func(p *period) int64 { return p.until }
	if len(closed) > 0 {
		b.Queue(sqlPeriodsClose, column(closed, topicID), column(closed, userID), column(closed, from), column(closed, until))
	}
	if len(opened) > 0 {
		b.Queue(sqlPeriodsAdd, column(opened, topicID), column(opened, userID), column(opened, from), column(opened, until),
			column(opened, func(p *period) int64 { return p.since }),
			column(opened, func(p *period) int16 { return p.minSeverity }))
	}
}

func queueNotifications(b *pgx.Batch, ns []notificationRow) {
	if len(ns) == 0 {
		return
	}
	b.Queue(sqlNotificationsAdd,
		column(ns, func(n notificationRow) int64 { return n.position }),
		column(ns, func(n notificationRow) uuid.UUID { return n.NotificationID }),
		column(ns, func(n notificationRow) string { return targetLines(n.To) }),
		column(ns, func(n notificationRow) int16 { return int16(n.Severity) }),
		column(ns, func(n notificationRow) string { return text(n.Content.Title) }),
		column(ns, func(n notificationRow) string { return text(n.Content.Body) }),
		column(ns, func(n notificationRow) *string { return orNull(strings.ToValidUTF8(string(n.Content.Data), "\uFFFD")) }),
		column(ns, func(n notificationRow) string { return text(n.Sender) }),
		column(ns, func(n notificationRow) string { return text(n.Content.Link) }),
		column(ns, func(n notificationRow) time.Time { return n.at }),
		column(ns, func(n notificationRow) *time.Time { return n.ExpiresAt }))
}

func queueTargets(b *pgx.Batch, topics []topicTarget, users []userTarget) {
	if len(topics) > 0 {
		b.Queue(sqlTopicTargetsAdd, column(topics, topicTarget.topicID), column(topics, topicTarget.at),
			column(topics, func(t topicTarget) bool { return t.stored }))
	}
	if len(users) > 0 {
		b.Queue(sqlUserTargetsAdd, column(users, userTarget.at), column(users, userTarget.userID))
	}
}

func (r *rows) queueInbox(b *pgx.Batch) {
	severity := func(t topicTarget) int16 { return t.severity }
	if len(r.direct) > 0 {
		b.Queue(sqlInboxAddUsers, column(r.direct, userTarget.userID), column(r.direct, userTarget.at))
	}
	if len(r.members) > 0 {
		b.Queue(sqlInboxAddMembers,
			column(r.members, topicTarget.topicID), column(r.members, topicTarget.at), column(r.members, severity))
	}
	if len(r.mixed) > 0 {
		b.Queue(sqlInboxAddBoth,
			column(r.mixed, topicTarget.topicID), column(r.mixed, topicTarget.at), column(r.mixed, severity),
			column(r.mixedDirect, userTarget.userID), column(r.mixedDirect, userTarget.at))
	}
}

func (t topicTarget) topicID() int64 { return t.topic.id }
func (t topicTarget) at() int64      { return t.position }
func (u userTarget) userID() int64   { return u.user.id }
func (u userTarget) at() int64       { return u.position }

func queueRetractions(b *pgx.Batch, rs []retraction) {
	if len(rs) == 0 {
		return
	}
	positions := column(rs, func(r retraction) int64 { return r.position })
	notifications := column(rs, func(r retraction) int64 { return r.notification })
	b.Queue(sqlNotificationsRetract, positions, notifications)
	b.Queue(sqlRetractionsAdd, positions, notifications)
}

func queueChanges(b *pgx.Batch, cs []changeRow) {
	if len(cs) == 0 {
		return
	}
	b.Queue(sqlChangesAdd,
		column(cs, func(c changeRow) int64 { return c.user.id }),
		column(cs, func(c changeRow) int64 { return c.position }),
		column(cs, func(c changeRow) string { return c.change }),
		column(cs, func(c changeRow) string { return idList(c.ids) }),
		column(cs, func(c changeRow) int64 { return c.through }))
}

func queueMarks(b *pgx.Batch, named []namedItem, swept []sweep) {
	if len(named) == 0 && len(swept) == 0 {
		return
	}
	b.Queue(sqlMarksChange,
		column(named, func(n namedItem) int64 { return n.user.id }),
		column(named, func(n namedItem) int64 { return n.position }),
		column(named, func(n namedItem) string { return n.change }),
		column(named, func(n namedItem) time.Time { return n.at }),
		column(named, func(n namedItem) uuid.UUID { return n.id }),
		column(swept, func(s sweep) int64 { return s.user.id }),
		column(swept, func(s sweep) int64 { return s.position }),
		column(swept, func(s sweep) string { return s.change }),
		column(swept, func(s sweep) time.Time { return s.at }),
		column(swept, func(s sweep) int64 { return s.above }),
		column(swept, func(s sweep) int64 { return s.upto }))
}
