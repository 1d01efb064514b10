package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/tidings-io/tidings/internal/access"
	"github.com/tidings-io/tidings/internal/commands"
	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/queries"
)

const maxReasonRunes = 1000

// What becomes of a rebuilt version once it has caught up.
const (
	switchAuto   = "auto"   // it serves
	switchManual = "manual" // it waits to be activated
)

type (
	reasonBody struct {
		Reason string `json:"reason,omitempty"`
	}
	rebuildBody struct {
		Reason string `json:"reason,omitempty"`
		Switch string `json:"switch,omitempty" doc:"auto: it serves once it has caught up; manual: it waits to be activated."`
	}
	skipBody struct {
		Position events.Position `json:"position" doc:"Of the event at which the projection is halted."`
		Reason   string          `json:"reason"`
	}
	projectionsAnswer struct {
		Items []queries.Version `json:"items"`
	}
	// orderAnswer answers an order: it is recorded, and will be carried out.
	orderAnswer struct {
		Name     string          `json:"name"`
		Version  int             `json:"version,omitempty" doc:"Which version the order is about."`
		Position events.Position `json:"position"`
	}
)

func (a *api) projections(ctx context.Context, _ *http.Request, q *ask, _ queries.AtLeast) (any, error) {
	if err := q.err(); err != nil {
		return nil, err
	}
	versions, err := a.reads.Projections(ctx)
	return projectionsAnswer{Items: versions}, err
}

func (a *api) parity(ctx context.Context, r *http.Request, q *ask, _ queries.AtLeast) (any, error) {
	if _, err := q.projection(r); err != nil {
		return nil, err
	}
	version, limit := q.version(r), q.limit(defaultPage)
	if err := q.err(); err != nil {
		return nil, err
	}
	report, err := a.reads.Parity(ctx, version, limit, q.values.Get("cursor"))
	return report, orNotFound(err, codeNoReport)
}

// projection is the one that the path names.
func (f *fields) projection(r *http.Request) (string, error) {
	if name := f.path(r, "name"); name != queries.InboxProjection {
		return "", &fault{code: codeProjectionNotFound}
	}
	return queries.InboxProjection, nil
}

func (f *fields) version(r *http.Request) int {
	const bits = 31 // as many as Postgres gives it
	n, err := strconv.ParseInt(f.path(r, "version"), 10, bits+1)
	if err != nil || n < 1 {
		f.flaw("version", "is a number from 1 on")
	}
	return int(n)
}

// order reads what all orders have: whose projection, and why. The body's other
// members are left for the caller; there may be no body. DELETE has none: its reason
// is in the query string.
func (a *api) order(w http.ResponseWriter, r *http.Request, f *fields) (events.Order, object, error) {
	name, err := f.projection(r)
	if err != nil {
		return events.Order{}, nil, err
	}
	o := object{}
	if r.Method == http.MethodDelete {
		o["reason"], err = json.Marshal(r.URL.Query().Get("reason"))
	} else {
		var body json.RawMessage
		if body, err = readJSON(w, r, a.maxBodyBytes); body != nil {
			o = f.object(body)
		}
	}
	if err != nil {
		return events.Order{}, nil, err
	}
	return events.Order{Projection: name, Reason: f.text(o, "reason", 0, maxReasonRunes)}, o, nil
}

// ordered decides an order and answers that it will be carried out.
func ordered(a *api, r *http.Request, version int, c commands.Command[commands.Projection, events.ProjectionEvent]) (done, error) {
	receipt, err := commands.Handle(r.Context(), a.store, a.metadata(r, a.newID()), c)
	if err != nil {
		return done{}, err
	}
	return done{
		status: http.StatusAccepted, position: receipt.Position, changed: receipt.Changed,
		body: orderAnswer{Name: queries.InboxProjection, Version: version, Position: receipt.Position},
	}, nil
}

// rebuilding decides which version to rebuild by what the stream says: the next
// one, or the newest while that is under way.
type rebuilding struct {
	commands.Rebuild

	underWay func(newest int, p commands.Projection) bool
	version  *int
}

func (c rebuilding) Decide(p commands.Projection) ([]events.ProjectionEvent, error) {
	c.Version = p.Newest() + 1
	if newest := p.Newest(); newest > 1 && p.Has(newest) && c.underWay(newest, p) {
		c.Version = newest
	}
	*c.version = c.Version
	return c.Rebuild.Decide(p) // it decides for us
}

func (a *api) rebuild(w http.ResponseWriter, r *http.Request) (done, error) {
	var f fields
	order, o, err := a.order(w, r, &f)
	if err != nil {
		return done{}, err
	}
	takeover := f.text(o, "switch", 0, maxReasonRunes)
	if takeover != "" && takeover != switchAuto && takeover != switchManual {
		f.flaw("switch", "is auto or manual")
	}
	f.rest(o, "a rebuild")
	if err := f.err(); err != nil {
		return done{}, err
	}
	versions, err := a.reads.Projections(r.Context())
	if err != nil {
		return done{}, err
	}
	version := 0
	d, err := ordered(a, r, 0, rebuilding{
		Rebuild:  commands.Rebuild{Order: order, Held: takeover == switchManual},
		underWay: func(n int, p commands.Projection) bool { return underWay(versions, n, p.Target() == n) },
		version:  &version,
	})
	if answer, ok := d.body.(orderAnswer); ok {
		answer.Version = version
		d.body = answer
	}
	return d, err
}

// underWay says whether a version is still being made: it was not begun, or has
// not caught up, or is about to serve.
func underWay(versions []queries.Version, n int, wanted bool) bool {
	for _, v := range versions {
		if v.Version == n {
			return !v.CaughtUp || wanted && !v.Serving
		}
	}
	return true
}

// aboutVersion makes an endpoint's decision of an order about a version.
func (a *api) aboutVersion(command func(events.Order, int) commands.Command[commands.Projection, events.ProjectionEvent]) func(http.ResponseWriter, *http.Request) (done, error) {
	return func(w http.ResponseWriter, r *http.Request) (done, error) {
		var f fields
		order, o, err := a.order(w, r, &f)
		if err != nil {
			return done{}, err
		}
		version := f.version(r)
		f.rest(o, "this order: it has a reason")
		if err := f.err(); err != nil {
			return done{}, err
		}
		return ordered(a, r, version, command(order, version))
	}
}

// aboutAll makes an endpoint's decision of an order about all versions.
func (a *api) aboutAll(command func(events.Order) commands.Command[commands.Projection, events.ProjectionEvent]) func(http.ResponseWriter, *http.Request) (done, error) {
	return func(w http.ResponseWriter, r *http.Request) (done, error) {
		var f fields
		order, o, err := a.order(w, r, &f)
		if err != nil {
			return done{}, err
		}
		f.rest(o, "this order: it has a reason")
		if err := f.err(); err != nil {
			return done{}, err
		}
		return ordered(a, r, 0, command(order))
	}
}

// skipping refuses to skip what halts nobody: decided over the stream, so that a
// repeat of what was done is harmless.
type skipping struct {
	commands.Skip

	halted bool
}

func (c skipping) Decide(p commands.Projection) ([]events.ProjectionEvent, error) {
	if !p.Skipped[c.Position] && !c.halted {
		return nil, &fault{code: codeNotHalted}
	}
	return c.Skip.Decide(p) // it decides for us
}

func (a *api) skip(w http.ResponseWriter, r *http.Request) (done, error) {
	var f fields
	order, o, err := a.order(w, r, &f)
	if err != nil {
		return done{}, err
	}
	c := skipping{Skip: commands.Skip{Order: order, Position: f.position(o, "position")}}
	if order.Reason == "" {
		f.flaw("reason", "is missing: say why the event may be passed over")
	}
	f.rest(o, "a skip: it has position and reason")
	if err := f.err(); err != nil {
		return done{}, err
	}
	versions, err := a.reads.Projections(r.Context())
	if err != nil {
		return done{}, err
	}
	for _, v := range versions {
		c.halted = c.halted || v.Halted != nil && v.Halted.Position == c.Position
	}
	return ordered(a, r, 0, c)
}

// position reads a member that must be a position.
func (f *fields) position(o object, name string) events.Position {
	value, ok := o.take(name)
	var text string
	if !ok || json.Unmarshal(value, &text) != nil {
		f.flaw(name, "is a position: a decimal number, as a string")
		return 0
	}
	at, err := events.ParsePosition(text)
	if err != nil || at == 0 {
		f.flaw(name, "is a position: a decimal number, as a string")
		return 0
	}
	return at
}

// dropping refuses to drop the version that readers are served by, though another
// one shall take its place: until that has happened it is the only way back.
type dropping struct {
	commands.Drop

	serves bool
}

func (c dropping) Decide(p commands.Projection) ([]events.ProjectionEvent, error) {
	decided, err := c.Drop.Decide(p) // it decides for us
	if err == nil && len(decided) > 0 && c.serves {
		err = &fault{code: commands.CodeVersionWanted, detail: fmt.Sprintf(
			"version %d serves readers until version %d takes its place: drop it after that, or activate it to stay with it", c.Version, p.Target())}
	}
	if err != nil {
		return nil, err //nolint:wrapcheck // a refusal is the answer
	}
	return decided, nil
}

func (a *api) drop(w http.ResponseWriter, r *http.Request) (done, error) {
	var f fields
	order, o, err := a.order(w, r, &f)
	if err != nil {
		return done{}, err
	}
	c := dropping{Drop: commands.Drop{Order: order, Version: f.version(r)}}
	f.rest(o, "this order: it has a reason")
	if err := f.err(); err != nil {
		return done{}, err
	}
	versions, err := a.reads.Projections(r.Context())
	if err != nil {
		return done{}, err
	}
	for _, v := range versions {
		c.serves = c.serves || v.Version == c.Version && v.Serving
	}
	return ordered(a, r, c.Version, c)
}

func (a *api) projectionRoutes() []route {
	const at = "/v1/projections"
	type order = commands.Command[commands.Projection, events.ProjectionEvent]
	missing := []string{codeProjectionNotFound}
	version := []string{codeProjectionNotFound, commands.CodeVersionNotFound}
	accepted := map[int]any{http.StatusAccepted: orderAnswer{}}
	return []route{
		{
			method: http.MethodGet, pattern: at, id: "projections", group: groupProjections,
			needs:   needs{scopes: oneOf(access.Audit)},
			summary: "The versions of the read model: how far each is, and which serves",
			answers: map[int]any{http.StatusOK: projectionsAnswer{}}, problems: []string{codeDatabaseAway},
			serve: a.query(a.projections),
		},
		{
			method: http.MethodPost, pattern: at + "/{name}/rebuild", id: "rebuild", group: groupProjections,
			summary: "Fold a new version from the beginning of the log, beside the one that serves; while one is under way it is named again",
			body:    rebuildBody{}, optional: true, commands: []string{"rebuild"}, answers: accepted,
			problems: []string{codeProjectionNotFound, codeDatabaseAway},
			serve:    a.command(named("rebuild"), a.rebuild),
		},
		{
			method: http.MethodPost, pattern: at + "/{name}/versions/{version}/activate", id: "activateVersion", group: groupProjections,
			summary: "Have a version serve as soon as it has caught up: a held one, or one that was replaced",
			body:    reasonBody{}, optional: true, commands: []string{"activate_version"}, answers: accepted, problems: version,
			serve: a.command(named("activate_version"), a.aboutVersion(func(o events.Order, n int) order {
				return commands.Activate{Order: o, Version: n}
			})),
		},
		{
			method: http.MethodDelete, pattern: at + "/{name}/versions/{version}", id: "dropVersion", group: groupProjections,
			summary: "Drop a version's tables once it does not serve", commands: []string{"drop_version"},
			params:   []param{{name: "reason", like: "", doc: "Why; it is kept in the log."}},
			answers:  accepted,
			problems: append(version, commands.CodeVersionWanted, codeDatabaseAway),
			serve:    a.command(named("drop_version"), a.drop),
		},
		{
			method: http.MethodGet, pattern: at + "/{name}/versions/{version}/parity", id: "parity", group: groupProjections,
			needs:   needs{scopes: oneOf(access.Audit)},
			summary: "What would change for users, or has changed, by this version's taking over",
			params: []param{
				{name: "limit", like: 0, doc: "How many users a page has at most: 1 to 100, by default 50."},
				{name: "cursor", like: "", doc: "The next_cursor of the page before."},
			},
			answers: map[int]any{http.StatusOK: queries.Parity{}}, problems: []string{codeProjectionNotFound, codeNoReport, codeDatabaseAway},
			serve: a.query(a.parity),
		},
		{
			method: http.MethodPost, pattern: at + "/{name}/pause", id: "pauseProjection", group: groupProjections,
			summary: "Stop folding; readers are answered from what there is",
			body:    reasonBody{}, optional: true, commands: []string{"pause_projection"}, answers: accepted, problems: missing,
			serve: a.command(named("pause_projection"), a.aboutAll(func(o events.Order) order { return commands.Pause{Order: o} })),
		},
		{
			method: http.MethodPost, pattern: at + "/{name}/resume", id: "resumeProjection", group: groupProjections,
			summary: "Go on folding",
			body:    reasonBody{}, optional: true, commands: []string{"resume_projection"}, answers: accepted, problems: missing,
			serve: a.command(named("resume_projection"), a.aboutAll(func(o events.Order) order { return commands.Resume{Order: o} })),
		},
		{
			method: http.MethodPost, pattern: at + "/{name}/skip", id: "skipEvent", group: groupProjections,
			summary: "Pass over the event at which the projection is halted, in every version, also in later ones",
			body:    skipBody{}, commands: []string{"skip_event"}, answers: accepted,
			problems: []string{codeProjectionNotFound, codeNotHalted, codeDatabaseAway},
			serve:    a.command(named("skip_event"), a.skip),
		},
	}
}
