package soak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	// accessTime is how long what is created or revoked may take to count on every
	// API, three times over, on a busy machine: issue 5 says a second.
	accessTime = 3 * time.Second
	// unmetTime is how long one is kept waiting whom only the event store knows.
	unmetTime = 5 * time.Second
)

// TestAccessOverProcesses runs two APIs with access control as processes of their own:
// what is created and revoked through one, or at the event store, counts on both, and
// without the event store those who were met before are still let in.
func TestAccessOverProcesses(t *testing.T) { // not parallel: it starts a whole system
	if testing.Short() {
		t.Skip("starts a whole system")
	}
	binary(t, "tidings") // compiling is not part of what has a deadline
	ctx, cancel := context.WithTimeoutCause(t.Context(), 2*time.Minute, errors.New("the test took too long"))
	defer cancel()
	g := startGates(t)
	began := time.Now()
	for _, step := range []struct {
		name string
		take func(context.Context, *testing.T)
	}{
		{"a key is created and revoked", g.keyComesAndGoes},
		{"a user's tokens are revoked", g.tokensGo},
		{"the event store is away", g.withoutStore},
		{"nobody has told a secret", g.tellsNoSecrets},
	} {
		if step.take(ctx, t); t.Failed() {
			t.Fatalf("%s: see above", step.name)
		}
		t.Logf("%s: over after %s", step.name, time.Since(began).Round(time.Millisecond))
	}
	for _, p := range g.apis {
		p.stop(t)
	}
}

// gates are two APIs with access control, and what they need.
type gates struct {
	system
	keyFile string
	apis    []*program
	urls    []string
	secrets []string // whatever opens anything
}

func startGates(t *testing.T) *gates {
	t.Helper()
	g := &gates{system: system{data: t.TempDir(), storeListen: freeAddress(t)}}
	g.keyFile = filepath.Join(g.data, "jwt.secret")
	g.token(t, "root", "admin", "--new-key", g.keyFile)
	secret, err := os.ReadFile(g.keyFile)
	if err != nil {
		t.Fatal(err)
	}
	g.secrets = append(g.secrets, strings.TrimSpace(string(secret)))
	g.startNode(t)
	g.startPostgres(t)
	g.projector, g.projectorURL = g.program(t, "projector")
	for range 2 {
		api, url := g.program(t, "api", "--jwt-key", g.keyFile, "--log-level", "debug",
			"--limit-user", "commands=100/s,queries=200/s,connects=50/s", "--limit-key", "commands=100/s,queries=200/s,connects=50/s", "--limit-address", "queries=1000/s")
		g.apis, g.urls = append(g.apis, api), append(g.urls, url)
	}
	untilReady(t, g.projector, g.projectorURL)
	for i, api := range g.apis {
		untilReady(t, api, g.urls[i])
	}
	return g
}

// token makes a token with the command, of the key in the file unless flags say which.
func (g *gates) token(t *testing.T, user, scope string, flags ...string) string {
	t.Helper()
	if len(flags) == 0 {
		flags = []string{"--key", g.keyFile}
	}
	made := strings.TrimSpace(run(t, "tidings", append([]string{"token", "--sub", user, "--scope", scope}, flags...)...))
	g.secrets = append(g.secrets, made)
	return made
}

// newKey makes an API key with the command.
func (g *gates) newKey(t *testing.T, subject, scope string) (id, key string) {
	t.Helper()
	var made struct {
		ID  string `json:"id"`
		Key string `json:"key"`
	}
	said := run(t, "tidings", "keys", "create", "test", "--subject", subject, "--scope", scope, "--json", "--eventstore-url", g.store)
	said = said[max(strings.Index(said, "{"), 0):] // behind a warning that the address stands in the arguments
	if err := json.Unmarshal([]byte(said), &made); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	g.secrets = append(g.secrets, made.Key)
	return made.ID, made.Key
}

// says is nil if an API gives an answer of this status and code to who asks for a
// user's inbox.
func (g *gates) says(ctx context.Context, url, user, credential string, status int, code string) error {
	a, err := send(ctx, http.MethodGet, url+"/v1/users/"+user+"/inbox", "", "Authorization", "Bearer "+credential)
	if err == nil && (a.status != status || a.code != code) {
		err = fmt.Errorf("%s: got %d %s, want %d %s", url, a.status, a.text, status, code)
	}
	return err
}

// everywhere waits until all APIs say that, and returns how long it took.
func (g *gates) everywhere(ctx context.Context, t *testing.T, what, user, credential string, status int, code string) {
	t.Helper()
	began := time.Now()
	eventually(ctx, t, accessTime, what, func() error {
		for _, url := range g.urls {
			if err := g.says(ctx, url, user, credential, status, code); err != nil {
				return err
			}
		}
		return nil
	})
	t.Logf("%s: on both after %s", what, time.Since(began).Round(time.Millisecond))
}

// open opens a stream of a user at each API. ended answers once when each has ended.
func (g *gates) open(ctx context.Context, t *testing.T, user, credential string) (ended []<-chan error) {
	t.Helper()
	for _, url := range g.urls {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/v1/users/"+user+"/inbox/stream", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+credential)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = response.Body.Close() })
		stream := NewDecoder(response.Body)
		if first, err := stream.Next(); err != nil || first.Name != "connected" {
			t.Fatalf("%s: got %s, %+v, %v, want a stream", url, response.Status, first, err)
		}
		end := make(chan error, 1)
		go func() {
			for {
				if _, err := stream.Next(); err != nil {
					end <- err
					return
				}
			}
		}()
		ended = append(ended, end)
	}
	return ended
}

// end waits until streams have ended, in the time of a revocation since it began.
func end(t *testing.T, what string, began time.Time, streams []<-chan error) {
	t.Helper()
	late := time.After(time.Until(began.Add(accessTime)))
	for i, ended := range streams {
		select {
		case <-ended:
			t.Logf("%s: the stream at API %d had ended after %s", what, i+1, time.Since(began).Round(time.Millisecond))
		case <-late:
			t.Fatalf("%s: the stream at API %d is open after %s", what, i+1, accessTime)
		}
	}
}

// open says whether streams still are.
func open(t *testing.T, what string, streams []<-chan error) {
	t.Helper()
	for i, ended := range streams {
		select {
		case err := <-ended:
			t.Errorf("%s: the stream at API %d has ended: %v", what, i+1, err)
		default:
		}
	}
}

func (g *gates) keyComesAndGoes(ctx context.Context, t *testing.T) {
	t.Helper()
	id, key := g.newKey(t, "ann", "inbox")
	g.everywhere(ctx, t, "a key that was created", "ann", key, http.StatusOK, "")
	other := g.open(ctx, t, "bob", g.token(t, "bob", "inbox"))
	streams := g.open(ctx, t, "ann", key)
	open(t, "before", streams)

	run(t, "tidings", "keys", "revoke", id, "--reason", "lost", "--eventstore-url", g.store)
	began := time.Now()
	g.everywhere(ctx, t, "a key that was revoked", "ann", key, http.StatusUnauthorized, "invalid_token")
	end(t, "a key that was revoked", began, streams)
	open(t, "somebody else's", other)
}

func (g *gates) tokensGo(ctx context.Context, t *testing.T) {
	t.Helper()
	ann := g.token(t, "ann", "inbox")
	g.everywhere(ctx, t, "a token of the command", "ann", ann, http.StatusOK, "")
	other := g.open(ctx, t, "bob", g.token(t, "bob", "inbox"))
	streams := g.open(ctx, t, "ann", ann)

	began := time.Now()
	a, err := send(ctx, http.MethodPost, g.urls[0]+"/v1/users/ann/tokens/revoke", `{"reason":"lost"}`, "Authorization", "Bearer "+ann)
	if err != nil || a.status != http.StatusOK {
		t.Fatalf("revoke: %d %s, %v", a.status, a.text, err)
	}
	later := g.token(t, "ann", "inbox")
	end(t, "tokens that were revoked", began, streams)
	g.everywhere(ctx, t, "tokens that were revoked", "ann", ann, http.StatusUnauthorized, "invalid_token")
	g.everywhere(ctx, t, "a token made just after", "ann", later, http.StatusOK, "")
	open(t, "somebody else's", other)
}

// withoutStore kills the event store. Who was met before is let in, and nobody else.
func (g *gates) withoutStore(ctx context.Context, t *testing.T) {
	t.Helper()
	_, met := g.newKey(t, "ann", "inbox")
	_, unmet := g.newKey(t, "ann", "inbox")
	known, stranger := g.token(t, "ann", "inbox"), g.token(t, "carol", "inbox")
	g.everywhere(ctx, t, "a key that was created", "ann", met, http.StatusOK, "")
	g.everywhere(ctx, t, "a token", "ann", known, http.StatusOK, "")
	streams := g.open(ctx, t, "ann", met)

	g.node.kill()
	for i, url := range g.urls {
		eventually(ctx, t, recovery, "the API says that the store is away", func() error { return g.check(ctx, url, "eventstore", "away", "") })
		for what, err := range map[string]error{
			"a key that was met":              g.says(ctx, url, "ann", met, http.StatusOK, ""),
			"a token that was met":            g.says(ctx, url, "ann", known, http.StatusOK, ""),
			"another token of a user met":     g.says(ctx, url, "ann", g.token(t, "ann", "inbox"), http.StatusOK, ""),
			"a token that is certainly wrong": g.says(ctx, url, "ann", known+"x", http.StatusUnauthorized, "invalid_token"),
			"a key nobody met":                g.isUnmet(ctx, url, "ann", unmet),
			"a token of a user nobody met":    g.isUnmet(ctx, url, "carol", stranger),
		} {
			if err != nil {
				t.Errorf("API %d without the event store: %s: %v", i+1, what, err)
			}
		}
	}
	open(t, "without the event store", streams)

	g.startNode(t)
	back := time.Now()
	eventually(ctx, t, recovery, "those nobody met are let in", func() error {
		var all error
		for _, url := range g.urls {
			all = errors.Join(all, g.says(ctx, url, "ann", unmet, http.StatusOK, ""), g.says(ctx, url, "carol", stranger, http.StatusOK, ""))
		}
		return all
	})
	t.Logf("those nobody met were let in %s after the store was back", time.Since(back).Round(time.Millisecond))
	for i, url := range g.urls {
		untilReady(t, g.apis[i], url)
	}
	id, _, _ := strings.Cut(strings.TrimPrefix(met, "tidings_"), "_")
	run(t, "tidings", "keys", "revoke", id, "--eventstore-url", g.store) // it is heard again
	end(t, "a key revoked after the outage", time.Now(), streams)
}

// isUnmet is nil if one is told to come back, and when.
func (g *gates) isUnmet(ctx context.Context, url, user, credential string) error {
	a, err := send(ctx, http.MethodGet, url+"/v1/users/"+user+"/inbox", "", "Authorization", "Bearer "+credential)
	if err == nil && (!a.is503("access_unavailable") || a.took > unmetTime) {
		err = fmt.Errorf("got %d %s after %s, want 503 access_unavailable with Retry-After within %s", a.status, a.text, a.took, unmetTime)
	}
	return err
}

// tellsNoSecrets looks at everything that was said for what opens anything.
func (g *gates) tellsNoSecrets(ctx context.Context, t *testing.T) {
	t.Helper()
	if len(g.secrets) < 10 {
		t.Fatalf("%d secrets are known, want all that were made", len(g.secrets))
	}
	said := map[string]string{
		"the projector": g.projector.words.String(), "the node": g.node.words.String(), "Postgres": g.postgres.words.String(),
		"the list of keys": run(t, "tidings", "keys", "list", "--eventstore-url", g.store),
	}
	for i, api := range g.apis {
		for _, path := range []string{"/metrics", "/readyz", "/openapi.json", "/docs", "/"} {
			a, err := send(ctx, http.MethodGet, g.urls[i]+path, "")
			if err != nil {
				t.Fatal(err)
			}
			said[fmt.Sprintf("%s of API %d", path, i+1)] = a.text
		}
		// A page of the log holds the events about the keys.
		a, err := send(ctx, http.MethodGet, g.urls[i]+"/v1/audit/events?limit=1000", "", "Authorization", "Bearer "+g.token(t, "root", "admin"))
		if err != nil || a.status != http.StatusOK || !strings.Contains(a.text, "KeyRevoked") {
			t.Fatalf("the log: %d %.300s, %v", a.status, a.text, err)
		}
		said[fmt.Sprintf("the log at API %d", i+1)] = a.text
		arguments, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", api.cmd.Process.Pid))
		if err != nil && !errors.Is(err, os.ErrNotExist) { // not every system has it
			t.Fatal(err)
		}
		if err == nil {
			said[fmt.Sprintf("the arguments of API %d", i+1)] = string(arguments)
		}
		said[fmt.Sprintf("API %d", i+1)] = api.words.String()
	}
	for who, text := range said {
		if len(text) >= wordsBytes || text == "" {
			t.Errorf("%s said %d bytes, want something, and not more than was kept", who, len(text))
		}
		for _, secret := range g.secrets {
			if strings.Contains(text, secret) || strings.Contains(text, secret[len(secret)/2:]) {
				t.Errorf("%s told a secret", who)
			}
		}
	}
	if !strings.Contains(said["API 1"], "DEBUG") && !strings.Contains(said["API 1"], "debug") {
		t.Errorf("API 1 logged nothing at the level debug, so that this says little: %.300s", said["API 1"])
	}
}

// An API that others can reach must know who calls it, or be told that it need not.
func TestAnOpenAPIKeepsToItself(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("compiles the programs")
	}
	const everywhere = "0.0.0.0:0"
	nobody := []string{"--eventstore-url", "esdb://127.0.0.1:1?tls=false", "--database-url", "postgres://nobody@127.0.0.1:1/none", "--listen", everywhere}
	refused := start(t, "api", nobody...)
	select {
	case <-refused.ended:
	case <-time.After(stopDeadline):
		t.Fatal("an API without access control listens to everybody")
	}
	var exit *exec.ExitError
	if !errors.As(refused.exit, &exit) || exit.ExitCode() != 2 {
		t.Errorf("got %v, want status 2", refused.exit)
	}
	for _, way := range []string{everywhere, "--insecure", "--jwt-key", "--access required"} {
		if !strings.Contains(refused.err.String(), way) {
			t.Errorf("it does not name %s: %s", way, refused.err.String())
		}
	}

	file := filepath.Join(t.TempDir(), "jwt.secret")
	run(t, "tidings", "token", "--sub", "ann", "--new-key", file)
	s := &system{data: t.TempDir(), storeListen: freeAddress(t)}
	s.startNode(t)
	s.startPostgres(t)
	projector, projectorURL := s.program(t, "projector")
	untilReady(t, projector, projectorURL)
	guarded := start(t, "api", "--eventstore-url", s.store, "--database-url", s.database, "--listen", everywhere, "--jwt-key", file)
	guarded.says(t, "ready http://")
	guarded.stop(t)
}
