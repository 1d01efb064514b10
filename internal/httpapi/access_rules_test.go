package httpapi_test

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/commands"
	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/memory"
	"github.com/tidings-io/tidings/internal/httpapi"
)

// guardedEdge is access control before no read model.
func guardedEdge(t *testing.T, c httpapi.Config) *guarded {
	t.Helper()
	g := &guarded{issuer: newIssuer(t)}
	store := &memory.Store{}
	c.Store, c.Log = store, store
	c.Access = g.authority(t, store)
	g.system = serve(t, c)
	g.store = store
	return g
}

func TestEveryTargetIsChecked(t *testing.T) {
	t.Parallel()
	g := guardedEdge(t, httpapi.Config{})
	publisher := func(topics ...string) string { return g.rs256(t, claims("ci", "publish", topics...)) }
	for rule, test := range map[string]struct {
		credential, to string
		want           int
	}{
		"without a limit every target is reached":            {publisher(), `["topic:a","user:ann"]`, 202},
		"within the pattern":                                 {publisher("builds.*"), `["topic:builds.main","topic:builds.x/y"]`, 202},
		"one of many outside the pattern refuses all":        {publisher("builds.*"), `["topic:builds.main","topic:deploys"]`, 403},
		"a pattern is no prefix of itself":                   {publisher("builds.*"), `["topic:builds"]`, 403},
		"a pattern without a star is one topic":              {publisher("builds"), `["topic:builds.main"]`, 403},
		"a limit to topics does not reach users":             {publisher("builds.*"), `["user:ann"]`, 403},
		"a star of topics does not reach users":              {publisher("*"), `["user:ann"]`, 403},
		"users have patterns of their own":                   {publisher("user:an*"), `["user:ann"]`, 202},
		"a pattern of users does not reach topics":           {publisher("user:*"), `["topic:ann"]`, 403},
		"a topic is compared as it is stored, in one form":   {publisher("caf\u0065\u0301"), `["topic:caf\u00e9"]`, 202},
		"a topic that looks like a user's target is a topic": {publisher("user:*"), `["topic:user:ann"]`, 403},
	} {
		t.Run(rule, func(t *testing.T) {
			status, p, _ := g.ask(t, http.MethodPost, "/v1/notifications", `{"to":`+test.to+`,"title":"t"}`, test.credential)
			if status != test.want {
				t.Errorf("got %d %s, want %d", status, p.Detail, test.want)
			}
		})
	}
}

// Who looks into another's past is known to have looked; an inbox opens for its user and
// for admins alone.
func TestLooksIntoAnothersPastAreRecorded(t *testing.T) {
	t.Parallel()
	var log spoken
	g := serveGuarded(t, httpapi.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	g.publishTo(t, "ann")
	auditor, admin, own := g.rs256(t, claims("ada", "audit")), g.rs256(t, claims("ada", "admin")), g.rs256(t, claims("ann", "audit inbox"))
	const explanation = "/v1/notifications/00000000-0000-4000-8000-000000000001/explain?user=ann"
	for _, look := range []struct{ path, kind, credential string }{
		{"/v1/users/ann/inbox?as_of=1", "inbox", admin}, {"/v1/users/ann/inbox/counts?as_of=1", "inbox", admin},
		{explanation, "explain", admin}, {explanation, "explain", auditor},
	} {
		log.take()
		status, p, headers := g.ask(t, http.MethodGet, look.path, "", look.credential)
		if status != http.StatusOK && p.Code != commands.CodeNotFound {
			t.Errorf("%s: got %d %s, want 200", look.path, status, p.Detail)
		}
		of, _ := url.Parse(look.path)
		want := fmt.Sprintf("msg=\"what is another's was read\" actor=ada correlation_id=%s kind=%s user=ann path=%s as_of=%s\n",
			headers.Get("X-Request-Id"), look.kind, of.Path, cmp.Or(of.Query().Get("as_of"), `""`))
		if got := log.take(); !strings.Contains(got, want) {
			t.Errorf("%s: got the record %q, want %q", look.path, got, want)
		}
		if g.ask(t, http.MethodGet, look.path, "", own); log.take() != "" {
			t.Errorf("%s: it is recorded that ann reads what is her own", look.path)
		}
	}
	g.ask(t, http.MethodGet, "/v1/topics/builds/subscribers?as_of=1", "", auditor)
	if got, want := log.take(), "kind=members user=\"\" path=/v1/topics/builds/subscribers as_of=1\n"; !strings.Contains(got, want) {
		t.Errorf("got the record %q, want %q", got, want)
	}
	if g.ask(t, http.MethodGet, "/v1/users/ann/inbox", "", admin); log.take() != "" {
		t.Error("it is recorded that a service reads the inbox of now")
	}
	all := g.rs256(t, claims("bob", "audit inbox subscribe publish"))
	for _, path := range []string{
		"/v1/users/ann/inbox", "/v1/users/ann/inbox?as_of=1", "/v1/users/ann/inbox/counts", "/v1/users/ann/inbox/stream",
		"/v1/users/ann/subscriptions", "/v1/users/ann/preferences",
	} {
		if status, p, _ := g.ask(t, http.MethodGet, path, "", all); status != http.StatusForbidden {
			t.Errorf("%s of another, by whoever may do all but administer: got %d %s, want 403", path, status, p.Code)
		}
	}
}

// spoken is a log that is read while it is written.
type spoken struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *spoken) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// take gives what was written since the last time.
func (l *spoken) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.text.Reset()
	return l.text.String()
}

func TestABatchIsCheckedEntryByEntry(t *testing.T) {
	t.Parallel()
	g := guardedEdge(t, httpapi.Config{})
	response := g.do(t, http.MethodPost, "/v1/notifications/batch",
		`{"notifications":[{"to":["topic:builds.a"],"title":"1"},{"to":["topic:builds.a","topic:x"],"title":"2"},{"to":["topic:builds.b"],"title":"3"}]}`,
		"Content-Type", "application/json", "Authorization", "Bearer "+g.rs256(t, claims("ci", "publish", "builds.*")))
	var answer struct {
		Results []struct {
			ID   string `json:"id"`
			Code string `json:"code"`
		} `json:"results"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode != http.StatusAccepted || len(answer.Results) != 3 {
		t.Fatalf("got %s, %v, %+v", response.Status, err, answer)
	}
	if answer.Results[0].ID == "" || answer.Results[1].Code != "forbidden" || answer.Results[2].ID == "" {
		t.Errorf("got %+v, want the second alone refused", answer.Results)
	}
}

// A repeat is asked whether it may, as the first was: what was allowed then may not be now.
func TestAReplayIsCheckedAgain(t *testing.T) {
	t.Parallel()
	g := guardedEdge(t, httpapi.Config{})
	publish := func(credential string) (int, string) {
		response := g.do(t, http.MethodPost, "/v1/notifications", `{"to":["topic:builds"],"title":"t"}`,
			"Content-Type", "application/json", "Idempotency-Key", "k", "Authorization", "Bearer "+credential)
		return response.StatusCode, response.Header.Get("Idempotency-Replayed")
	}
	if status, _ := publish(g.rs256(t, claims("ci", "publish"))); status != http.StatusAccepted {
		t.Fatalf("got %d", status)
	}
	if status, replayed := publish(g.rs256(t, claims("ci", "publish", "builds"))); status != http.StatusAccepted || replayed != "true" {
		t.Errorf("the same by who still may: got %d, replayed %q", status, replayed)
	}
	if status, replayed := publish(g.rs256(t, claims("ci", "publish", "deploys"))); status != http.StatusForbidden || replayed != "" {
		t.Errorf("the same by who no longer may: got %d, replayed %q, want 403", status, replayed)
	}
	if status, replayed := publish(g.rs256(t, claims("other", "publish"))); status != http.StatusAccepted || replayed != "" {
		t.Errorf("the same key by another subject: got %d, replayed %q, want a notification of its own", status, replayed)
	}
}

func TestTheActorIsWhoSentIt(t *testing.T) {
	t.Parallel()
	g := guardedEdge(t, httpapi.Config{})
	_, key := makeKey(t, g.store, "team-a", nil, "publish")
	for _, credential := range []string{key, g.rs256(t, claims("service/b", "publish"))} {
		if status, p, _ := g.ask(t, http.MethodPost, "/v1/notifications", `{"to":["topic:builds"],"title":"t","sender":"root"}`, credential); status != http.StatusAccepted {
			t.Fatalf("got %d %s", status, p.Detail)
		}
	}
	var actors []string
	for stored, err := range g.store.ReadAll(t.Context(), 0, events.Filter{Type: "Published"}) {
		if err != nil {
			t.Fatal(err)
		}
		r, err := events.Decode(stored)
		if err != nil {
			t.Fatal(err)
		}
		actors = append(actors, r.Metadata.Actor)
	}
	if strings.Join(actors, " ") != "team-a service/b" {
		t.Errorf("got the actors %q", actors)
	}
}

func TestWhereACredentialMayStand(t *testing.T) {
	t.Parallel()
	closed, enabled := guardedEdge(t, httpapi.Config{}), guardedEdge(t, httpapi.Config{QueryToken: true})
	right := func(g *guarded) string { return g.rs256(t, claims("ann", "inbox subscribe")) }
	const read, change = "/v1/users/ann/subscriptions", "/v1/users/ann/subscriptions/builds"
	for rule, test := range map[string]struct {
		g            *guarded
		method, path string
		headers      []string
		want         int
	}{
		"a header":               {closed, "GET", read, []string{"Authorization", "Bearer RIGHT"}, 503},
		"the scheme in any case": {closed, "GET", read, []string{"Authorization", "bEaReR RIGHT"}, 503},
		"another scheme":         {closed, "GET", read, []string{"Authorization", "Basic RIGHT"}, 401},
		"no scheme":              {closed, "GET", read, []string{"Authorization", "RIGHT"}, 401},
		"a cookie, for reading":  {closed, "GET", read, []string{"Cookie", "tidings_token=RIGHT"}, 503},
		"a cookie, for a change from the same origin":     {closed, "PUT", change, []string{"Cookie", "tidings_token=RIGHT", "Sec-Fetch-Site", "same-origin"}, 201},
		"a cookie, for a change from nowhere":             {closed, "PUT", change, []string{"Cookie", "tidings_token=RIGHT"}, 403},
		"a cookie, for a change from another site":        {closed, "PUT", change, []string{"Cookie", "tidings_token=RIGHT", "Sec-Fetch-Site", "cross-site"}, 403},
		"a cookie, for a change from a sibling":           {closed, "PUT", change, []string{"Cookie", "tidings_token=RIGHT", "Sec-Fetch-Site", "same-site"}, 403},
		"a cookie, for a change from a stranger's page":   {closed, "PUT", change, []string{"Cookie", "tidings_token=RIGHT", "Origin", "https://evil.example"}, 403},
		"two cookies, of which one may be another host's": {closed, "GET", read, []string{"Cookie", "tidings_token=RIGHT; tidings_token=other"}, 401},
		"an API key in a cookie":                          {closed, "GET", read, []string{"Cookie", "tidings_token=tidings_aaaaaaaaaaaaaaaa_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}, 401},
		"an API key in the query":                         {enabled, "GET", read + "?access_token=tidings_aaaaaaaaaaaaaaaa_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", nil, 401},
		"the header wins over a cookie":                   {closed, "GET", read, []string{"Authorization", "Bearer wrong", "Cookie", "tidings_token=RIGHT"}, 401},
		"the query, where it is not taken":                {closed, "GET", read + "?access_token=RIGHT", nil, 401},
		"the query, where it is taken":                    {enabled, "GET", read + "?access_token=RIGHT", nil, 503},
		"the query, for a change":                         {enabled, "PUT", change + "?access_token=RIGHT", nil, 401},
		"the query wins over a cookie":                    {enabled, "GET", read + "?access_token=wrong", []string{"Cookie", "tidings_token=RIGHT"}, 401},
	} {
		t.Run(rule, func(t *testing.T) {
			token := right(test.g)
			headers := make([]string, len(test.headers))
			for i, h := range test.headers {
				headers[i] = strings.ReplaceAll(h, "RIGHT", token)
			}
			response := test.g.do(t, test.method, strings.ReplaceAll(test.path, "RIGHT", token), "", headers...)
			body, err := io.ReadAll(response.Body)
			if err != nil || response.StatusCode != test.want {
				t.Errorf("got %s %s, want %d", response.Status, body, test.want)
			}
			if strings.Contains(string(body), token) {
				t.Error("the answer repeats the token")
			}
		})
	}
}

// stream opens one, as soon as the hub takes it, and returns its lines.
func (g *guarded) stream(t *testing.T, path, credential string) *bufio.Scanner {
	t.Helper()
	for t.Context().Err() == nil {
		response := g.do(t, http.MethodGet, path, "", "Authorization", "Bearer "+credential)
		if response.StatusCode != http.StatusOK {
			t.Fatalf("the stream: got %s", response.Status)
		}
		lines := bufio.NewScanner(response.Body)
		if lines.Scan() && lines.Text() == "event: connected" {
			return lines
		}
	}
	t.Fatal("the hub did not begin")
	return nil
}

// revocationTime is how long a revocation may take, three times over.
const revocationTime = 3 * time.Second

// ends waits for the end of a stream, within the time of a revocation.
func ends(t *testing.T, lines *bufio.Scanner) time.Duration {
	t.Helper()
	began := time.Now()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines.Scan() {
		}
	}()
	select {
	case <-ended:
	case <-time.After(revocationTime):
		t.Fatal("the stream did not end")
	}
	return time.Since(began)
}

// Two API instances share a log. What one is told is refused by both, at once, and
// ends what is open on both.
func TestRevocationReachesEveryInstanceAndEveryStream(t *testing.T) {
	t.Parallel()
	first := serveGuarded(t, httpapi.Config{})
	second := &guarded{issuer: first.issuer}
	config := first.config
	config.Access = first.authority(t, first.store)
	second.system = serve(t, config)
	second.store = first.store
	const inbox, stream = "/v1/users/ann/inbox", "/v1/users/ann/inbox/stream"
	for what, test := range map[string]struct{ credential, revoke func(t *testing.T) string }{
		"a user's tokens": {
			credential: func(t *testing.T) string { return first.rs256(t, claims("ann", "inbox")) },
			revoke: func(t *testing.T) string {
				admin := first.rs256(t, claims("root", "admin"))
				if status, p, _ := first.ask(t, http.MethodPost, "/v1/users/ann/tokens/revoke", `{"reason":"lost"}`, admin); status != http.StatusOK {
					t.Fatalf("revoke: %d %s", status, p.Detail)
				}
				return ""
			},
		},
		"an API key": {
			credential: func(t *testing.T) string {
				_, key := makeKey(t, first.store, "ann", nil, "inbox")
				return key
			},
		},
	} {
		t.Run(what, func(t *testing.T) {
			credential := test.credential(t)
			var open []*bufio.Scanner
			for _, g := range []*guarded{first, second} {
				if status, p, _ := g.ask(t, http.MethodGet, inbox, "", credential); status != http.StatusOK {
					t.Fatalf("before: got %d %s", status, p.Detail)
				}
				open = append(open, g.stream(t, stream, credential))
			}
			bystander := second.stream(t, "/v1/users/bob/inbox/stream", first.rs256(t, claims("bob", "inbox")))
			if test.revoke != nil {
				test.revoke(t)
			} else {
				id := events.KeyID(strings.Split(credential, "_")[1])
				md := events.Metadata{CommandID: uuid.New(), Attempt: uuid.New()}
				if _, err := commands.Handle(t.Context(), first.store, md, commands.RevokeKey{Key: id}); err != nil {
					t.Fatal(err)
				}
			}
			for _, lines := range open {
				t.Logf("a stream ended after %s", ends(t, lines))
			}
			for _, g := range []*guarded{first, second} {
				if status, _, _ := g.ask(t, http.MethodGet, inbox, "", credential); status != http.StatusUnauthorized {
					t.Errorf("after: got %d, want 401", status)
				}
			}
			if status, p, _ := second.ask(t, http.MethodGet, "/v1/users/ann/inbox", "", first.rs256(t, claims("ann", "inbox"))); status != http.StatusOK {
				t.Errorf("a token issued after: got %d %s, want 200", status, p.Detail)
			}
			first.publishTo(t, "bob")
			for bystander.Scan() {
				if strings.HasPrefix(bystander.Text(), "event: message") {
					return
				}
			}
			t.Error("another user's stream ended too")
		})
	}
}

func (g *guarded) publishTo(t *testing.T, user string) {
	t.Helper()
	status, p, _ := g.ask(t, http.MethodPost, "/v1/notifications", `{"to":["user:`+user+`"],"title":"t"}`, g.rs256(t, claims("ci", "publish")))
	if status != http.StatusAccepted {
		t.Fatalf("publish: %d %s", status, p.Detail)
	}
}

func TestAStreamEndsWithItsToken(t *testing.T) {
	t.Parallel()
	g := serveGuarded(t, httpapi.Config{})
	short := g.rs256(t, with(claims("ann", "inbox"), "exp", time.Now().Add(2*time.Second).Unix()+1))
	ends(t, g.stream(t, "/v1/users/ann/inbox/stream", short))
}
