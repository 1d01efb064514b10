package httpapi

import (
	"iter"
	"net/http"
	"slices"

	"github.com/tidings-io/tidings/internal/access"
	"github.com/tidings-io/tidings/internal/commands"
	"github.com/tidings-io/tidings/internal/inbox"
	"github.com/tidings-io/tidings/internal/queries"
)

const streamPattern = "/v1/users/{user}/inbox/stream"

// route is one row of the table that the router, the metrics and the OpenAPI
// document are made from, so that they cannot disagree.
type route struct {
	method  string
	pattern string
	id      string // of the operation: stable, SDKs are generated from it
	group   string // of operations, for readers
	summary string

	body     any // a value of the body's type; nil: no body
	optional bool
	keyed    bool // takes an Idempotency-Key
	reads    bool // takes wait_for
	params   []param
	answers  map[int]any // by status; a value of the answer's type, or a media type as mediaType
	problems []string    // codes beside those that follow from the rest

	needs    needs
	commands []string
	stream   bool
	serve    endpoint
}

// oneOf are scopes of which one is enough.
func oneOf(scopes ...access.Scope) []access.Scope { return scopes }

// param is a parameter in the query string.
type param struct {
	name string
	like any // a value of its type
	doc  string
	enum []string
}

// mediaType is an answer that is not JSON.
type mediaType string

const (
	groupSubscriptions = "Subscriptions"
	groupTopics        = "Topics"
	groupNotifications = "Notifications"
	groupInbox         = "Inbox"
	groupProjections   = "Projections"
	groupAudit         = "Audit"
	groupAccess        = "Access"
	groupOperations    = "Operations"
)

// statuses are all that a route is known to answer.
func (rt route) statuses() iter.Seq[int] {
	return func(yield func(int) bool) {
		seen := map[int]bool{}
		for status := range rt.answers {
			if seen[status] = true; !yield(status) {
				return
			}
		}
		for _, code := range rt.codes() {
			if status := kinds[code].status; !seen[status] {
				if seen[status] = true; !yield(status) {
					return
				}
			}
		}
	}
}

// codes are the codes of all problems that a route is known to answer.
func (rt route) codes() []string {
	codes := rt.problems
	if !rt.needs.anybody {
		codes = append(codes, codeUnauthenticated, codeInvalidToken, codeInsufficientScope, codeForbidden, codeAccessAway, codeRateLimited)
	}
	if rt.group != groupOperations {
		codes = append(codes, codeMalformed, codeInvalid, codeInternal)
	}
	if len(rt.commands) > 0 {
		codes = append(codes, codeCrossOrigin, codeStoreUnavailable, codeOutcomeUnknown, commands.CodeConflict, codeStreamDeleted)
	}
	if rt.body != nil {
		codes = append(codes, codeTooLarge, codeMediaType, codeTimeout)
	}
	if rt.keyed {
		codes = append(codes, commands.CodeKeyReused)
	}
	if rt.reads {
		codes = append(codes, codeNotYetProjected, codeDatabaseAway)
	}
	return codes
}

func (a *api) routes(c Config) []route {
	all := a.commandRoutes()
	all = append(all, a.queryRoutes(c)...)
	all = append(all, a.projectionRoutes()...)
	all = append(all, a.operationRoutes(c)...)
	document := openAPI(all)
	for i := range all {
		if all[i].pattern == documentPattern {
			all[i].serve = document
		}
	}
	return all
}

func (a *api) commandRoutes() []route {
	return []route{
		{
			method: http.MethodPut, pattern: "/v1/users/{user}/subscriptions/{topic}", id: "subscribe", group: groupSubscriptions,
			needs:   needs{scopes: oneOf(access.Subscribe), own: true, topic: true},
			summary: "Subscribe a user to a topic, or change the rules",
			body:    subscriptionBody{}, optional: true, commands: []string{"subscribe"},
			answers: map[int]any{http.StatusCreated: subscriptionAnswer{}, http.StatusOK: subscriptionAnswer{}},
			serve:   a.command(named("subscribe"), a.subscribe),
		},
		{
			method: http.MethodDelete, pattern: "/v1/users/{user}/subscriptions/{topic}", id: "unsubscribe", group: groupSubscriptions,
			needs:    needs{scopes: oneOf(access.Subscribe), own: true, topic: true},
			summary:  "Unsubscribe a user from a topic",
			commands: []string{"unsubscribe"}, answers: map[int]any{http.StatusOK: unsubscribedAnswer{}},
			serve: a.command(named("unsubscribe"), a.unsubscribe),
		},
		{
			method: http.MethodPut, pattern: "/v1/users/{user}/preferences", id: "setPreferences", group: groupSubscriptions,
			needs:   needs{scopes: oneOf(access.Inbox), own: true},
			summary: "Replace a user's preferences: muted topics, quiet hours and rules of channels",
			body:    preferencesBody{}, commands: []string{"set_preferences"},
			answers: map[int]any{http.StatusOK: queries.Preferences{}},
			serve:   a.command(named("set_preferences"), a.setPreferences),
		},
		{
			method: http.MethodPost, pattern: "/v1/topics/{topic}/subscribers", id: "changeSubscribers", group: groupTopics,
			needs:   needs{scopes: oneOf(access.Subscribe), topic: true},
			summary: "Add and remove many subscribers, entry by entry; rules of those already subscribed are kept",
			body:    subscribersBody{}, commands: []string{"subscribers"},
			answers: map[int]any{http.StatusOK: subscribersAnswer{}},
			serve:   a.command(named("subscribers"), a.changeSubscribers),
		},
		{
			method: http.MethodPut, pattern: "/v1/topics/{topic}", id: "describeTopic", group: groupTopics,
			needs:   needs{scopes: oneOf(access.Publish), topic: true},
			summary: "Say what a topic is for",
			body:    topicBody{}, commands: []string{"describe_topic"},
			answers: map[int]any{http.StatusCreated: topicAnswer{}, http.StatusOK: topicAnswer{}},
			serve:   a.command(named("describe_topic"), a.describe),
		},
		{
			method: http.MethodPost, pattern: "/v1/notifications", id: "publish", group: groupNotifications,
			needs:   needs{scopes: oneOf(access.Publish)},
			summary: "Publish a notification; 201 with recipients where Prefer: wait was honoured",
			body:    notificationBody{}, keyed: true, commands: []string{"publish"},
			answers: map[int]any{http.StatusAccepted: notificationAnswer{}, http.StatusCreated: notificationAnswer{}},
			serve:   a.command(named("publish"), a.publish),
		},
		{
			method: http.MethodPost, pattern: "/v1/notifications/batch", id: "publishBatch", group: groupNotifications,
			needs:   needs{scopes: oneOf(access.Publish)},
			summary: "Publish up to 1,000 notifications; valid ones stand whatever the others are",
			body:    batchBody{}, keyed: true, commands: []string{"batch"},
			answers: map[int]any{http.StatusAccepted: batchAnswerDoc{}},
			serve:   a.command(named("batch"), a.publishBatch),
		},
		{
			method: http.MethodDelete, pattern: "/v1/notifications/{id}", id: "retract", group: groupNotifications,
			needs:    needs{scopes: oneOf(access.Publish)},
			summary:  "Take a published notification out of every inbox",
			commands: []string{"retract"}, answers: map[int]any{http.StatusOK: notificationAnswer{}},
			problems: []string{commands.CodeNotFound},
			serve:    a.command(named("retract"), a.retract),
		},
		{
			method: http.MethodPost, pattern: "/v1/alerts", id: "alert", group: groupNotifications,
			needs:   needs{scopes: oneOf(access.Publish)},
			summary: "Publish in the words of monitoring tools; waits up to 5 s to say how many were told",
			body:    alertBody{}, keyed: true, commands: []string{"alert"},
			answers: map[int]any{http.StatusOK: alertAnswer{}, http.StatusAccepted: alertAnswer{}},
			serve:   a.command(named("alert"), a.alert),
		},
		{
			method: http.MethodPost, pattern: "/v1/users/{user}/tokens/revoke", id: "revokeTokens", group: groupAccess,
			needs:   needs{scopes: oneOf(access.Inbox), own: true},
			summary: "Refuse all tokens of a user that were issued before now, and end their streams",
			body:    reasonBody{}, optional: true, commands: []string{"revoke_tokens"},
			answers: map[int]any{http.StatusOK: tokensAnswer{}},
			serve:   a.command(named("revoke_tokens"), a.revokeTokens),
		},
		{
			method: http.MethodPost, pattern: "/v1/users/{user}/inbox/{change}", id: "changeItems", group: groupInbox,
			needs:   needs{scopes: oneOf(access.Inbox), own: true},
			summary: "Change items of an inbox: read, unread, seen, archive, unarchive or delete",
			body:    itemsBody{}, commands: inbox.ChangeNames, problems: []string{codeNotFound},
			answers: map[int]any{http.StatusOK: changeAnswer{}},
			serve:   a.command(changeName, a.changeItems),
		},
	}
}

func (a *api) queryRoutes(c Config) []route {
	cursor := param{name: "cursor", like: "", doc: "The next_cursor of the page before."}
	limit := param{name: "limit", like: 0, doc: "How many items a page has at most: 1 to 100, by default 50."}
	asOf := param{name: "as_of", like: "", doc: "A position or a time (RFC 3339): the answer is what this question would have been answered then."}
	return []route{
		{
			method: http.MethodGet, pattern: "/v1/users/{user}/inbox", id: "inbox", group: groupInbox, reads: true,
			needs:   needs{scopes: oneOf(access.Inbox), own: true},
			summary: "A page of a user's inbox, newest first",
			params: []param{
				limit, cursor,
				{name: "state", like: "", doc: "Archived items appear under archived alone.", enum: []string{"all", "unread", "read", "archived"}},
				{name: "topic", like: "", doc: "Only items addressed to this topic."},
				{name: "severity", like: "", doc: "Only items of this severity.", enum: severityNames},
				asOf, {name: "counts", like: false, doc: "Whether the counts of the whole inbox come along, of the same snapshot."},
			},
			problems: []string{codeTooFarBack, codeStoreUnavailable},
			answers:  map[int]any{http.StatusOK: queries.InboxPage{}},
			serve:    a.costly(past, a.query(a.inbox)),
		},
		{
			method: http.MethodGet, pattern: "/v1/users/{user}/inbox/counts", id: "counts", group: groupInbox, reads: true,
			needs:   needs{scopes: oneOf(access.Inbox), own: true},
			summary: "How much is in a user's inbox, exactly; archived items left out",
			params:  []param{asOf}, problems: []string{codeTooFarBack, codeStoreUnavailable},
			answers: map[int]any{http.StatusOK: queries.Counts{}},
			serve:   a.costly(past, a.query(a.counts)),
		},
		{
			method: http.MethodGet, pattern: streamPattern, id: "stream", group: groupInbox, stream: true,
			needs:   needs{scopes: oneOf(access.Inbox), own: true},
			summary: "A user's inbox as server-sent events, without gap or repeat over reconnects",
			params: []param{
				{name: "last_event_id", like: "", doc: "Where to resume, for clients that cannot send the header Last-Event-ID: a position, or earliest."},
				{name: "history", like: 0, doc: "Send this many of the newest items first: 0 to 100. Ignored on a resume."},
			},
			answers: map[int]any{http.StatusOK: mediaType("text/event-stream")},
			serve:   a.inboxStream(c),
		},
		{
			method: http.MethodGet, pattern: "/v1/users/{user}/subscriptions", id: "subscriptions", group: groupSubscriptions, reads: true,
			needs:   needs{scopes: oneOf(access.Subscribe, access.Inbox), own: true},
			summary: "What a user is subscribed to, by topic",
			params:  []param{limit, cursor}, answers: map[int]any{http.StatusOK: queries.Page[queries.Subscription]{}},
			serve: a.query(a.subscriptions),
		},
		{
			method: http.MethodGet, pattern: "/v1/users/{user}/preferences", id: "preferences", group: groupSubscriptions, reads: true,
			needs:   needs{scopes: oneOf(access.Inbox), own: true},
			summary: "A user's preferences",
			answers: map[int]any{http.StatusOK: queries.Preferences{}},
			serve:   a.query(a.preferences),
		},
		{
			method: http.MethodGet, pattern: "/v1/topics", id: "topics", group: groupTopics, reads: true,
			needs:   needs{scopes: oneOf(access.Publish, access.Subscribe, access.Audit), everyTopic: true},
			summary: "All topics, by name",
			params:  []param{limit, cursor}, answers: map[int]any{http.StatusOK: queries.Page[queries.Topic]{}},
			serve: a.query(a.topics),
		},
		{
			method: http.MethodGet, pattern: "/v1/topics/{topic}", id: "topic", group: groupTopics, reads: true,
			needs:   needs{scopes: oneOf(access.Publish, access.Subscribe, access.Audit), topic: true},
			summary: "One topic",
			answers: map[int]any{http.StatusOK: queries.Topic{}}, problems: []string{codeTopicNotFound},
			serve: a.query(a.topic),
		},
		{
			method: http.MethodGet, pattern: "/v1/topics/{topic}/subscribers", id: "subscribers", group: groupTopics, reads: true,
			needs:   needs{scopes: oneOf(access.Audit)},
			summary: "Who is subscribed to a topic, or was",
			params: []param{
				{name: "limit", like: 0, doc: "How many items a page has at most: 1 to 1,000, by default 50."}, cursor, asOf,
			},
			answers: map[int]any{http.StatusOK: queries.Page[queries.Subscriber]{}}, problems: []string{codeStoreUnavailable},
			serve: a.costly(past, a.query(a.subscribers)),
		},
		{
			method: http.MethodGet, pattern: "/v1/notifications/{id}", id: "notification", group: groupNotifications, reads: true,
			needs:   needs{scopes: oneOf(access.Publish, access.Audit)},
			summary: "One notification; its recipients are counted when asked",
			answers: map[int]any{http.StatusOK: queries.Notification{}}, problems: []string{commands.CodeNotFound},
			serve: a.query(a.notification),
		},
		{
			method: http.MethodGet, pattern: "/v1/notifications/{id}/explain", id: "explain", group: groupNotifications,
			needs:   needs{scopes: oneOf(access.Audit)},
			summary: "Why a user did or did not get a notification: the events that decided, in order",
			params:  []param{{name: "user", like: "", doc: "Whom to explain it of."}},
			answers: map[int]any{http.StatusOK: queries.Explanation{}}, problems: []string{commands.CodeNotFound, codeStoreUnavailable, codeTooFarBack},
			serve: a.costly(always, a.query(a.explain)),
		},
		{
			method: http.MethodGet, pattern: auditStreamPattern, id: "auditStream", group: groupAudit, stream: true,
			needs:   needs{scopes: oneOf(access.Audit)},
			summary: "The log as server-sent events: replayed from a position or a time, then followed, without gap or repeat",
			params: append([]param{
				{name: "last_event_id", like: "", doc: "Where to resume, for clients that cannot send the header Last-Event-ID: a position, or earliest."},
				{name: "after", like: "", doc: "Where to begin: only events after this position; without it the whole log. latest: what is recorded from now on."},
			}, auditParams...),
			answers: map[int]any{http.StatusOK: mediaType("text/event-stream")}, problems: []string{codeStoreUnavailable},
			serve: a.auditStream(c),
		},
		{
			method: http.MethodGet, pattern: "/v1/audit/events", id: "auditEvents", group: groupAudit,
			needs:   needs{scopes: oneOf(access.Audit)},
			summary: "The log, oldest first; with Accept: application/x-ndjson the whole range, an event a line",
			reads:   true,
			params: append([]param{
				{name: "after", like: "", doc: "A position: only events after it."},
				{name: "cursor", like: "", doc: "The next_cursor of the page before; the same as after."},
				{name: "limit", like: 0, doc: "How many items a page has at most: 1 to 1,000, by default 100."},
			}, auditParams...),
			answers: map[int]any{http.StatusOK: auditPage{}}, problems: []string{codeStoreUnavailable},
			serve: a.audit,
		},
	}
}

// auditParams pick events of the log: see auditFilter.
var auditParams = []param{
	{name: "category", like: "", doc: "Only events of streams of this category, such as notification."},
	{name: "stream", like: "", doc: "Only events of this stream."},
	{name: "type", like: "", doc: "Only events of this type, such as Published."},
	{name: "user", like: "", doc: "Only events that concern this user: theirs, to them by name, and what they did."},
	{name: "topic", like: "", doc: "Only events of or to this topic."},
	{name: "correlation_id", like: "", doc: "Only events caused by the request of this X-Request-Id."},
	{name: "from", like: "", doc: "Only events at this time or later."},
	{name: "to", like: "", doc: "Only events before this time. A stream ends when it has passed."},
}

// monitoring are the routes of every process.
func (a *api) monitoring() []route {
	return []route{
		{
			method: http.MethodGet, pattern: "/livez", id: "livez", group: groupOperations,
			needs:   needs{anybody: true},
			summary: "Whether the process itself moves, whatever it needs of others",
			answers: map[int]any{http.StatusOK: liveness{}, http.StatusServiceUnavailable: liveness{}}, serve: a.livez,
		},
		{
			method: http.MethodGet, pattern: "/readyz", id: "readyz", group: groupOperations,
			needs:   needs{anybody: true},
			summary: "Whether everything that is needed is there",
			answers: map[int]any{http.StatusOK: readiness{}, http.StatusServiceUnavailable: readiness{}}, serve: a.readyz,
		},
		{
			method: http.MethodGet, pattern: "/metrics", id: "metrics", group: groupOperations,
			needs:   needs{anybody: true},
			summary: "Metrics for Prometheus",
			answers: map[int]any{http.StatusOK: mediaType("text/plain")}, serve: a.showMetrics(),
		},
	}
}

func (a *api) operationRoutes(c Config) []route {
	monitoring := a.monitoring()
	if c.MetricsElsewhere {
		monitoring = slices.DeleteFunc(monitoring, func(rt route) bool { return rt.id == "metrics" })
	}
	routes := slices.Concat(monitoring, []route{
		{
			method: http.MethodGet, pattern: documentPattern, id: "openapi", group: groupOperations,
			needs:   needs{anybody: true},
			summary: "This document",
			answers: map[int]any{http.StatusOK: mediaType("application/json")},
		},
		{
			method: http.MethodGet, pattern: "/docs", id: "docs", group: groupOperations,
			needs:   needs{anybody: true},
			summary: "This document, for people",
			answers: map[int]any{http.StatusOK: mediaType("text/html")}, serve: docsPage,
		},
		{
			method: http.MethodGet, pattern: "/docs/errors", id: "docsErrors", group: groupOperations,
			needs:   needs{anybody: true},
			summary: "The codes of problems",
			answers: map[int]any{http.StatusOK: mediaType("text/html")}, serve: errorsPage(),
		},
		{
			method: http.MethodGet, pattern: "/docs/{asset}", id: "docsAsset", group: groupOperations,
			needs:   needs{anybody: true},
			summary: "What /docs is made of", problems: []string{codeNotFound},
			answers: map[int]any{http.StatusOK: mediaType("application/octet-stream")}, serve: docsAsset,
		},
	})
	if c.Console != nil {
		routes = append(routes, route{
			method: http.MethodGet, pattern: "/", id: "console", group: groupOperations,
			needs:   needs{anybody: true},
			summary: "A page to subscribe, publish and read",
			answers: map[int]any{http.StatusOK: mediaType("text/html")},
			serve: func(w http.ResponseWriter, r *http.Request) error {
				c.Console.ServeHTTP(w, r)
				return nil
			},
		})
	}
	return routes
}
