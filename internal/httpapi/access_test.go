package httpapi_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/access"
	"github.com/tidings-io/tidings/internal/commands"
	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/memory"
	"github.com/tidings-io/tidings/internal/httpapi"
	"github.com/tidings-io/tidings/internal/token"
)

// issuer makes tokens, right ones and wrong ones.
type issuer struct {
	secret  token.Key
	private *rsa.PrivateKey
	public  []byte // of private, as PEM
	signs   token.Key
}

const audience = "tidings-test"

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{private: private, public: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})}
	if i.signs, err = token.ParseKey(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})); err != nil {
		t.Fatal(err)
	}
	if i.secret, err = token.ParseKey([]byte(rand.Text() + rand.Text())); err != nil {
		t.Fatal(err)
	}
	return i
}

// claims are those of a right token.
func claims(subject, scope string, topics ...string) jwt.MapClaims {
	now := time.Now()
	c := jwt.MapClaims{
		"sub": subject, "scope": scope, "aud": audience, "iat": float64(now.UnixMicro()) / 1e6, "exp": now.Add(time.Hour).Unix(),
	}
	if topics != nil {
		c["topics"] = topics
	}
	return c
}

func with(c jwt.MapClaims, name string, value any) jwt.MapClaims {
	c[name] = value
	return c
}

func (i *issuer) rs256(t *testing.T, c jwt.MapClaims) string {
	t.Helper()
	return signed(t, jwt.SigningMethodRS256, c, i.private)
}

func signed(t *testing.T, method jwt.SigningMethod, c jwt.MapClaims, key any) string {
	t.Helper()
	text, err := jwt.NewWithClaims(method, c).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// wrong are tokens that are right for everything but for one thing.
func (i *issuer) wrong(t *testing.T, subject, scope string) map[string]string {
	t.Helper()
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	hour := time.Hour
	right := func() jwt.MapClaims { return claims(subject, scope) }
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	unsigned := part(map[string]string{"alg": "none", "typ": "JWT"}) + "." + part(right()) + "."
	return map[string]string{
		"garbage":                  "garbage",
		"expired":                  i.rs256(t, with(right(), "exp", time.Now().Add(-hour).Unix())),
		"not yet valid":            i.rs256(t, with(right(), "nbf", time.Now().Add(hour).Unix())),
		"for ever":                 i.rs256(t, with(right(), "exp", nil)),
		"wrong key":                signed(t, jwt.SigningMethodRS256, right(), other),
		"none":                     unsigned,
		"RS/HS confusion":          signed(t, jwt.SigningMethodHS256, right(), i.public),
		"an algorithm not allowed": signed(t, jwt.SigningMethodEdDSA, right(), edwards),
		"wrong audience":           i.rs256(t, with(right(), "aud", "another")),
		"no audience":              i.rs256(t, with(right(), "aud", nil)),
		"nobody's":                 i.rs256(t, with(right(), "sub", "")),
		"no such key":              "tidings_aaaaaaaaaaaaaaaa_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	}
}

// authority checks tokens of the issuer and API keys, with the log as its memory.
func (i *issuer) authority(t *testing.T, log access.Log) *access.Authority {
	t.Helper()
	tokens, err := token.NewVerifier(token.Options{Keys: []token.Key{i.signs}, Audience: audience})
	if err != nil {
		t.Fatal(err)
	}
	a, err := access.New(access.Options{Log: log, Tokens: tokens})
	if err != nil {
		t.Fatal(err)
	}
	run(t, a.Run)
	return a
}

// makeKey makes an API key in the log.
func makeKey(t *testing.T, store commands.Store, subject string, topics []string, scopes ...string) (events.KeyID, string) {
	t.Helper()
	id, key, hash := access.NewKey()
	md := events.Metadata{CommandID: uuid.New(), Attempt: uuid.New()}
	created := commands.CreateKey{Key: events.KeyCreated{Key: id, Name: subject, Hash: hash, Subject: subject, Scopes: scopes, Topics: topics}}
	if _, err := commands.Handle(t.Context(), store, md, created); err != nil {
		t.Fatal(err)
	}
	return id, key
}

// attempt is how one route is asked for by somebody who may, and what keeps others
// out of it.
type attempt struct {
	path, body string
	scope      string // one of those that it needs
	want       int    // what whoever may is answered
	own        bool   // others' users are refused
	topic      bool   // other topics than the token's are refused
	everyTopic bool   // tokens of some topics are refused
}

// attempts has a row for every route that asks for a credential.
func attempts(published string) map[string]attempt {
	publish := `{"to":["topic:builds.main"],"title":"t"}`
	return map[string]attempt{
		"PUT /v1/users/{user}/subscriptions/{topic}":    {path: "/v1/users/ann/subscriptions/builds.main", scope: "subscribe", want: 201, own: true, topic: true},
		"DELETE /v1/users/{user}/subscriptions/{topic}": {path: "/v1/users/ann/subscriptions/builds.other", scope: "subscribe", want: 200, own: true, topic: true},
		"PUT /v1/users/{user}/preferences":              {path: "/v1/users/ann/preferences", body: `{}`, scope: "inbox", want: 200, own: true},
		"POST /v1/topics/{topic}/subscribers":           {path: "/v1/topics/builds.main/subscribers", body: `{"add":["ann"]}`, scope: "subscribe", want: 200, own: true, topic: true},
		"PUT /v1/topics/{topic}":                        {path: "/v1/topics/builds.main", body: `{"description":"d"}`, scope: "publish", want: 201, topic: true},
		"POST /v1/notifications":                        {path: "/v1/notifications", body: publish, scope: "publish", want: 202, topic: true},
		"POST /v1/notifications/batch":                  {path: "/v1/notifications/batch", body: `{"notifications":[` + publish + `]}`, scope: "publish", want: 202},
		"POST /v1/alerts":                               {path: "/v1/alerts", body: `{"target":["@@builds.main"],"message":"m"}`, scope: "publish", want: 200, topic: true},
		"DELETE /v1/notifications/{id}":                 {path: "/v1/notifications/" + published, scope: "publish", want: 200, topic: true},
		"POST /v1/users/{user}/inbox/{change}":          {path: "/v1/users/ann/inbox/read", body: `{"through":"1"}`, scope: "inbox", want: 200, own: true},
		"POST /v1/users/{user}/tokens/revoke":           {path: "/v1/users/ann/tokens/revoke", scope: "inbox", want: 200, own: true},
		"GET /v1/users/{user}/inbox":                    {path: "/v1/users/ann/inbox", scope: "inbox", want: 200, own: true},
		"GET /v1/users/{user}/inbox/counts":             {path: "/v1/users/ann/inbox/counts", scope: "inbox", want: 200, own: true},
		"GET /v1/users/{user}/inbox/stream":             {path: "/v1/users/ann/inbox/stream", scope: "inbox", want: 200, own: true},
		"GET /v1/users/{user}/subscriptions":            {path: "/v1/users/ann/subscriptions", scope: "subscribe", want: 200, own: true},
		"GET /v1/users/{user}/preferences":              {path: "/v1/users/ann/preferences", scope: "inbox", want: 200, own: true},
		"GET /v1/topics":                                {path: "/v1/topics", scope: "publish", want: 200, everyTopic: true},
		"GET /v1/topics/{topic}":                        {path: "/v1/topics/builds.main", scope: "subscribe", want: 200, topic: true},
		"GET /v1/topics/{topic}/subscribers":            {path: "/v1/topics/builds.main/subscribers", scope: "audit", want: 200},
		"GET /v1/notifications/{id}":                    {path: "/v1/notifications/" + published, scope: "publish", want: 200, topic: true},
		"GET /v1/notifications/{id}/explain":            {path: "/v1/notifications/" + published + "/explain?user=ann", scope: "audit", want: 200},
		"GET /v1/audit/events":                          {path: "/v1/audit/events", scope: "audit", want: 200},
		"GET /v1/audit/stream":                          {path: "/v1/audit/stream", scope: "audit", want: 200},
		"GET /v1/projections":                           {path: "/v1/projections", scope: "audit", want: 200},

		"POST /v1/projections/{name}/rebuild":                     {path: "/v1/projections/inbox/rebuild", scope: "admin", want: 202},
		"POST /v1/projections/{name}/versions/{version}/activate": {path: "/v1/projections/inbox/versions/1/activate", scope: "admin", want: 202},
		"DELETE /v1/projections/{name}/versions/{version}":        {path: "/v1/projections/inbox/versions/99", scope: "admin", want: 404},
		"GET /v1/projections/{name}/versions/{version}/parity":    {path: "/v1/projections/inbox/versions/99/parity", scope: "audit", want: 404},
		"POST /v1/projections/{name}/pause":                       {path: "/v1/projections/inbox/pause", scope: "admin", want: 202},
		"POST /v1/projections/{name}/resume":                      {path: "/v1/projections/inbox/resume", scope: "admin", want: 202},
		"POST /v1/projections/{name}/skip":                        {path: "/v1/projections/inbox/skip", body: `{"position":"1","reason":"r"}`, scope: "admin", want: 409},
	}
}

// public are the routes that ask nobody who they are.
var public = []string{
	"GET /livez", "GET /readyz", "GET /metrics", "GET /openapi.json", "GET /docs", "GET /docs/errors", "GET /docs/{asset}", "GET /",
}

// guarded is a whole system with access control.
type guarded struct {
	*system
	*issuer

	config httpapi.Config
}

func serveGuarded(t *testing.T, c httpapi.Config) *guarded {
	t.Helper()
	g := &guarded{issuer: newIssuer(t)}
	g.system = serveAllWith(t, c, func(store *memory.Store, c *httpapi.Config) {
		c.Access = g.authority(t, store)
		g.config = *c
	})
	return g
}

// ask sends a request and returns its status and its problem, if it is one.
func (g *guarded) ask(t *testing.T, method, path, body, credential string) (int, httpapi.Problem, http.Header) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel() // of a stream
	request := newRequest(t, method, g.URL+path, body).WithContext(ctx)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if credential != "" {
		request.Header.Set("Authorization", "Bearer "+credential)
	}
	response, err := g.Client().Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer response.Body.Close()
	var p httpapi.Problem
	if strings.HasPrefix(response.Header.Get("Content-Type"), "application/problem+json") {
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &p); err != nil {
			t.Fatal(err)
		}
	}
	return response.StatusCode, p, response.Header
}

func TestEveryRouteAsksWhoSendsARequest(t *testing.T) {
	t.Parallel()
	g := serveGuarded(t, httpapi.Config{Console: http.NotFoundHandler()})
	_, admin := makeKey(t, g.store, "root", nil, "admin")
	publish := func() string {
		response := g.do(t, http.MethodPost, "/v1/notifications", `{"to":["topic:builds.main"],"title":"t"}`,
			"Authorization", "Bearer "+admin, "Content-Type", "application/json", "Prefer", "wait=30")
		var answer struct {
			ID string `json:"id"`
		}
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode != http.StatusCreated {
			t.Fatalf("publish: %s, %v", response.Status, err)
		}
		return answer.ID
	}
	published := publish()
	table := attempts(published)
	routes, closed, err := httpapi.Routes(g.config)
	if err != nil {
		t.Fatal(err)
	}
	open := map[string]bool{}
	for _, route := range public {
		open[route] = true
	}
	for _, route := range routes {
		if row, ok := table[route]; ok == open[route] || closed[route] == open[route] {
			t.Errorf("%s: the table has it as %+v; add a row for a new route, or put it among the public ones", route, row)
		}
		delete(open, route)
	}
	if len(open) > 0 || len(routes) != len(table)+len(public) {
		t.Errorf("the table has %d routes and the router %d; public ones that are gone: %v", len(table)+len(public), len(routes), open)
	}

	for route, row := range table {
		method, _, _ := strings.Cut(route, " ")
		t.Run(route, func(t *testing.T) {
			g.tryWrong(t, method, row)
			g.tryForbidden(t, method, row)
		})
	}
	// Those who may come last: what they do changes what there is.
	for route, row := range table {
		method, _, _ := strings.Cut(route, " ")
		if strings.HasSuffix(route, "revoke") || strings.HasPrefix(route, "POST /v1/projections") {
			continue
		}
		row.path = strings.ReplaceAll(row.path, published, publish())
		if status, p, _ := g.ask(t, method, row.path, row.body, g.rs256(t, claims("ann", row.scope))); status != row.want && status != http.StatusOK {
			t.Errorf("%s by who may: got %d %s, want %d", route, status, p.Detail, row.want)
		}
		if status, p, _ := g.ask(t, method, row.path, row.body, admin); status != row.want && status != http.StatusOK {
			t.Errorf("%s by an admin's API key: got %d %s, want %d", route, status, p.Detail, row.want)
		}
	}
	for _, route := range []string{
		"POST /v1/projections/{name}/pause", "POST /v1/projections/{name}/resume", "POST /v1/projections/{name}/skip",
		"POST /v1/projections/{name}/versions/{version}/activate", "POST /v1/projections/{name}/rebuild",
		"POST /v1/users/{user}/tokens/revoke",
	} {
		row := table[route]
		if status, p, _ := g.ask(t, http.MethodPost, row.path, row.body, g.rs256(t, claims("ann", row.scope))); status != row.want {
			t.Errorf("%s by who may: got %d %s, want %d", route, status, p.Detail, row.want)
		}
	}
}

// tryWrong sends credentials that nobody may use for anything.
func (g *guarded) tryWrong(t *testing.T, method string, row attempt) {
	t.Helper()
	before := g.head(t)
	revoked, key := makeKey(t, g.store, "ann", nil, row.scope)
	md := events.Metadata{CommandID: uuid.New(), Attempt: uuid.New()}
	if _, err := commands.Handle(t.Context(), g.store, md, commands.RevokeKey{Key: revoked}); err != nil {
		t.Fatal(err)
	}
	lost := g.rs256(t, claims("lost", row.scope))
	if _, err := commands.RevokeTokens(t.Context(), g.store, events.Metadata{CommandID: uuid.New(), Attempt: uuid.New()},
		events.TokensRevoked{User: "lost"}); err != nil {
		t.Fatal(err)
	}
	before += 3
	status, p, header := g.ask(t, method, row.path, row.body, "")
	if status != http.StatusUnauthorized || p.Code != "unauthenticated" || header.Get("WWW-Authenticate") != `Bearer realm="tidings"` {
		t.Errorf("without a credential: got %d %s %q", status, p.Code, header.Get("WWW-Authenticate"))
	}
	wrong := g.wrong(t, "ann", row.scope)
	wrong["a revoked key"], wrong["a revoked user's"] = key, lost
	for what, credential := range wrong {
		status, p, header := g.ask(t, method, row.path, row.body, credential)
		if status != http.StatusUnauthorized || p.Code != "invalid_token" {
			t.Errorf("with one that is wrong (%s): got %d %s, want 401 invalid_token", what, status, p.Code)
		}
		if got := header.Get("WWW-Authenticate"); !strings.HasPrefix(got, `Bearer realm="tidings", error="invalid_token", error_description="`) {
			t.Errorf("with one that is wrong (%s): got WWW-Authenticate %q", what, got)
		}
	}
	if got := g.head(t); got != before {
		t.Errorf("refused requests appended %d events", got-before)
	}
}

// tryForbidden sends credentials that are right for something else.
func (g *guarded) tryForbidden(t *testing.T, method string, row attempt) {
	t.Helper()
	before := g.head(t)
	refused := func(what, code, credential string) {
		t.Helper()
		status, p, header := g.ask(t, method, row.path, row.body, credential)
		if status != http.StatusForbidden || p.Code != code {
			t.Errorf("%s: got %d %s %s, want 403 %s", what, status, p.Code, p.Detail, code)
		}
		if !strings.HasPrefix(header.Get("WWW-Authenticate"), `Bearer realm="tidings", error="insufficient_scope"`) {
			t.Errorf("%s: got WWW-Authenticate %q", what, header.Get("WWW-Authenticate"))
		}
		if code == "insufficient_scope" && !strings.Contains(header.Get("WWW-Authenticate"), `error="insufficient_scope", scope="`) {
			t.Errorf("%s: got WWW-Authenticate %q", what, header.Get("WWW-Authenticate"))
		}
	}
	needed := map[string]string{"publish": "inbox", "subscribe": "publish", "inbox": "publish", "audit": "subscribe", "admin": "publish subscribe inbox audit"}
	if row.everyTopic {
		needed["publish"] = "inbox"
		refused("with limited topics", "forbidden", g.rs256(t, claims("ann", row.scope, "builds.*")))
	}
	if strings.HasPrefix(row.path, "/v1/topics/builds.main") && method == http.MethodGet {
		needed["subscribe"] = "inbox"
	}
	if row.path == "/v1/users/ann/subscriptions" {
		needed["subscribe"] = "publish"
	}
	refused("without the scope", "insufficient_scope", g.rs256(t, claims("ann", needed[row.scope])))
	refused("without any scope", "insufficient_scope", g.rs256(t, claims("ann", "openid Publish administrator")))
	if row.own {
		refused("another user's", "forbidden", g.rs256(t, claims("bob", row.scope)))
		refused("a service's that is no user", "forbidden", g.rs256(t, claims("service/ann", row.scope)))
	}
	if row.topic {
		refused("outside the pattern", "forbidden", g.rs256(t, claims("ann", row.scope, "deploys.*", "builds", "user:*")))
		refused("with no topic at all", "forbidden", g.rs256(t, claims("ann", row.scope, []string{}...)))
		if !strings.HasPrefix(row.path, "/v1/notifications/") || method != http.MethodGet { // an admin may read all
			refused("an admin's outside the pattern", "forbidden", g.rs256(t, claims("ann", "admin publish", "deploys.*")))
		}
	}
	if got := g.head(t); got != before {
		t.Errorf("refused requests appended %d events", got-before)
	}
}

// begun waits until the hub takes readers, so that none is refused for that.
func (g *guarded) begun(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for g.config.Hub.Ready() != nil {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("the hub did not begin")
		}
	}
}

func (g *guarded) head(t *testing.T) events.Position {
	t.Helper()
	at, err := g.store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return at
}
