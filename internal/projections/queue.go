package projections

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidings-io/tidings/internal/inbox"
)

// queue puts the statements that write the rows into b. Their order matters only
// where one reads what another wrote: periods end before their successors begin,
// members are read once the periods stand, marks once the inbox stands.
func (r *rows) queue(b *pgx.Batch) {
	queueTicks(b, r.ticks)
	r.queueNames(b)
	queuePeriods(b, r.closed, r.opened)
	queueNotifications(b, r.notifications)
	queueTargets(b, r.audienceTargets, r.userTargets)
	r.queueInbox(b)
	queueRetractions(b, r.retractions)
	queueChanges(b, r.changes)
	queueMarks(b, r.named, r.swept)
	queuePreferences(b, r.preferences)
}

func queueTicks(b *pgx.Batch, ticks []inbox.Tick) {
	if len(ticks) == 0 {
		return
	}
	b.Queue(sqlClockAdd,
		column(ticks, func(t inbox.Tick) int64 { return int64(t.Position) }), //nolint:gosec // at most MaxPosition
		column(ticks, func(t inbox.Tick) time.Time { return t.At }),
		column(ticks, func(t inbox.Tick) int64 { return t.Events }))
}

// queueNames puts users, topics and audiences in.
func (r *rows) queueNames(b *pgx.Batch) {
	if len(r.newUsers) > 0 {
		b.Queue(sqlUsersAdd, column(r.newUsers, func(u *user) int64 { return u.id }), column(r.newUsers, func(u *user) string { return u.name }))
	}
	if ts := r.newTopics; len(ts) > 0 {
		b.Queue(sqlTopicsAdd, column(ts, (*topic).key), column(ts, func(t *topic) string { return t.name }),
			column(ts, (*topic).size), column(ts, (*topic).about))
	}
	if ts := r.topics; len(ts) > 0 {
		b.Queue(sqlTopicsChange, column(ts, (*topic).key), column(ts, (*topic).size), column(ts, (*topic).about))
	}
	if as := r.newAudiences; len(as) > 0 {
		b.Queue(sqlAudiencesAdd, column(as, (*audience).key), column(as, func(a *audience) int64 { return a.topic.id }),
			column(as, func(a *audience) string { return a.filter }),
			column(as, func(a *audience) []byte { return digest(a.filter) }), column(as, (*audience).size))
	}
	if as := r.audiences; len(as) > 0 {
		b.Queue(sqlAudiencesChange, column(as, (*audience).key), column(as, (*audience).size))
	}
}

func (t *topic) key() int64     { return t.id }
func (t *topic) size() int64    { return t.subscribers }
func (t *topic) about() *string { return t.description }
func (a *audience) key() int64  { return a.id }
func (a *audience) size() int64 { return a.subscribers }

func queuePeriods(b *pgx.Batch, closed, opened []*period) {
	topicID := func(p *period) int64 { return p.audience.topic.id }
	userID := func(p *period) int64 { return p.user.id }
	from := func(p *period) int64 { return p.from }
	until := func(p *period) int64 { return p.until }
	if len(closed) > 0 {
		b.Queue(sqlPeriodsClose, column(closed, topicID), column(closed, userID), column(closed, from), column(closed, until))
	}
	if len(opened) > 0 {
		b.Queue(sqlPeriodsAdd, column(opened, topicID), column(opened, userID), column(opened, from), column(opened, until),
			column(opened, func(p *period) int64 { return p.since }),
			column(opened, func(p *period) int64 { return p.audience.id }),
			column(opened, func(p *period) int16 { return p.minSeverity }),
			column(opened, func(p *period) bool { return p.muted }))
	}
}

func queueNotifications(b *pgx.Batch, ns []notificationRow) {
	if len(ns) == 0 {
		return
	}
	b.Queue(sqlNotificationsAdd,
		column(ns, func(n notificationRow) int64 { return n.position }),
		column(ns, func(n notificationRow) [16]byte { return n.NotificationID }),
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

func queueTargets(b *pgx.Batch, audiences []audienceTarget, users []userTarget) {
	if len(audiences) > 0 {
		b.Queue(sqlAudienceTargetsAdd, column(audiences, audienceTarget.audienceID), column(audiences, audienceTarget.at),
			column(audiences, audienceTarget.rank), column(audiences, func(t audienceTarget) bool { return t.stored }))
	}
	if len(users) > 0 {
		b.Queue(sqlUserTargetsAdd, column(users, userTarget.at), column(users, userTarget.userID))
	}
}

func (r *rows) queueInbox(b *pgx.Batch) {
	ends := func(t audienceTarget) bool { return t.ends }
	userEnds := func(u userTarget) bool { return u.ends }
	if len(r.direct) > 0 {
		b.Queue(sqlInboxAddUsers, column(r.direct, userTarget.userID), column(r.direct, userTarget.at), column(r.direct, userEnds))
	}
	if len(r.members) > 0 {
		b.Queue(sqlInboxAddMembers, column(r.members, audienceTarget.audienceID), column(r.members, audienceTarget.at),
			column(r.members, audienceTarget.rank), column(r.members, ends))
	}
	if len(r.mixed) > 0 {
		b.Queue(sqlInboxAddBoth, column(r.mixed, audienceTarget.audienceID), column(r.mixed, audienceTarget.at),
			column(r.mixed, audienceTarget.rank), column(r.mixed, ends),
			column(r.mixedDirect, userTarget.userID), column(r.mixedDirect, userTarget.at), column(r.mixedDirect, userEnds))
	}
}

func (t audienceTarget) audienceID() int64 { return t.audience.id }
func (t audienceTarget) at() int64         { return t.position }
func (t audienceTarget) rank() int16       { return t.severity }
func (u userTarget) userID() int64         { return u.user.id }
func (u userTarget) at() int64             { return u.position }

func queueRetractions(b *pgx.Batch, rs []retraction) {
	if len(rs) == 0 {
		return
	}
	positions := column(rs, func(r retraction) int64 { return r.position })
	notifications := column(rs, func(r retraction) int64 { return r.notification })
	b.Queue(sqlNotificationsRetract, positions, notifications)
	b.Queue(sqlInboxEnd, notifications)
	b.Queue(sqlRetractionsAdd, positions, notifications)
}

func queueChanges(b *pgx.Batch, cs []changeRow) {
	if len(cs) == 0 {
		return
	}
	b.Queue(sqlChangesAdd,
		column(cs, func(c changeRow) int64 { return c.user.id }),
		column(cs, func(c changeRow) int64 { return c.position }),
		column(cs, func(c changeRow) time.Time { return c.at }),
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
		column(named, func(n namedItem) [16]byte { return n.id }),
		column(swept, func(s sweep) int64 { return s.user.id }),
		column(swept, func(s sweep) int64 { return s.position }),
		column(swept, func(s sweep) string { return s.change }),
		column(swept, func(s sweep) time.Time { return s.at }),
		column(swept, func(s sweep) int64 { return s.above }),
		column(swept, func(s sweep) int64 { return s.upto }))
}

func queuePreferences(b *pgx.Batch, set map[*user]preferencesRow) {
	if len(set) == 0 {
		return
	}
	users := slices.Collect(maps.Keys(set))
	b.Queue(sqlPreferencesSet,
		column(users, func(u *user) int64 { return u.id }),
		column(users, func(u *user) int64 { return set[u].position }),
		column(users, func(u *user) string { return set[u].muted }),
		column(users, func(u *user) string { return set[u].settings }))
}
