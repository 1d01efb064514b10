package node_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"golang.org/x/crypto/bcrypt"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/tidings-io/tidings/internal/eventstore/node"
)

// said is what was logged.
type said struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *said) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(text)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// user is a line of a users file, as cheap as there are.
func user(t *testing.T, name, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return name + ":" + string(hash)
}

// calls are what an application does, each by itself.
var calls = map[string]func(context.Context, *esdb.Client) error{
	"append": func(ctx context.Context, c *esdb.Client) error {
		_, err := c.AppendToStream(ctx, "a", esdb.AppendToStreamOptions{}, proposal("x"))
		return err
	},
	"append of much": func(ctx context.Context, c *esdb.Client) error {
		events := make([]esdb.EventData, 50)
		for i := range events {
			events[i] = proposal("x")
			events[i].Data = []byte(`"` + strings.Repeat("x", 20_000) + `"`)
		}
		_, err := c.AppendToStream(ctx, "much", esdb.AppendToStreamOptions{}, events...)
		return err
	},
	"read": func(ctx context.Context, c *esdb.Client) error {
		stream, err := c.ReadStream(ctx, "a", esdb.ReadStreamOptions{}, 1)
		if err == nil {
			_, err = stream.Recv()
			stream.Close()
		}
		return err
	},
	"read $all": func(ctx context.Context, c *esdb.Client) error {
		stream, err := c.ReadAll(ctx, esdb.ReadAllOptions{From: esdb.End{}, Direction: esdb.Backwards}, 1)
		if err == nil {
			_, err = stream.Recv()
			stream.Close()
		}
		return err
	},
	"subscribe": func(ctx context.Context, c *esdb.Client) error {
		subscription, err := c.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{})
		if err == nil {
			err = subscription.Close()
		}
		return err
	},
	"metadata": func(ctx context.Context, c *esdb.Client) error {
		_, err := c.SetStreamMetadata(ctx, "m", esdb.AppendToStreamOptions{}, esdb.StreamMetadata{})
		return err
	},
	"delete": func(ctx context.Context, c *esdb.Client) error {
		_, err := c.AppendToStream(ctx, "d", esdb.AppendToStreamOptions{}, proposal("x"))
		if err == nil {
			_, err = c.DeleteStream(ctx, "d", esdb.DeleteStreamOptions{})
		}
		return err
	},
}

func TestAUserMayDoEverything(t *testing.T) {
	t.Parallel()
	g := guard(t, user(t, "alice", "right"), user(t, "bob", "p%w:d/ä"))
	for who, url := range map[string]string{
		"alice":                    g.url("alice:right"),
		"bob":                      g.url("bob:p%25w%3Ad%2F%C3%A4"),
		"alice, who asks for more": strings.Replace(g.url("alice:right"), "esdb:", "esdb+discover:", 1),
	} {
		client := connect(t, url)
		if _, err := client.AppendToStream(t.Context(), "a", esdb.AppendToStreamOptions{}, proposal("x")); err != nil {
			t.Errorf("%s: append: %v", who, err)
		}
		for name, call := range calls {
			if err := call(t.Context(), client); err != nil {
				t.Errorf("%s: %s: %v", who, name, err)
			}
		}
	}
	if gather(t, g.gather)["tidings_node_logins_total accepted"] < float64(len(calls)) {
		t.Error("accepted calls are not counted")
	}
}

func TestWhoIsNoUserMayDoNothing(t *testing.T) {
	t.Parallel()
	const right, wrong = "the-right-one", "a-wrong-one"
	for name, who := range map[string]string{
		"nobody":                    "",
		"a wrong password":          "alice:" + wrong,
		"no password":               "alice:",
		"an unknown user":           "mallory:" + right,
		"somebody else's password":  "bob:" + right,
		"a name in capital letters": "Alice:" + right,
		"a password that goes on":   "alice:" + right + "+",
		"a password as a name":      wrong + ":" + right,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := guard(t, user(t, "alice", right), user(t, "bob", "bobs-own"))
			client := connect(t, g.url(who))
			if _, err := client.GetServerVersion(); err != nil {
				t.Errorf("the connection: %v, want that it can be made", err)
			}
			for call, f := range calls {
				err := f(t.Context(), client)
				if codeOf(err) != esdb.ErrorCodeUnauthenticated {
					t.Errorf("%s: got %v (%d), want unauthenticated", call, err, codeOf(err))
				}
				g.tells(t, "the error of "+call, fmt.Sprint(err), who, right, wrong)
			}
			if g.log.Head() != 0 {
				t.Errorf("something was written: the head is %d", g.log.Head())
			}
			if !strings.Contains(g.logged.String(), "calls were refused") {
				t.Errorf("logged %q, want that calls were refused", g.logged)
			}
			g.tells(t, "the log", g.logged.String(), who, right, wrong)
			metrics := gather(t, g.gather)
			g.tells(t, "a metric", strings.Join(slices.Collect(maps.Keys(metrics)), " "), who, right, wrong, "alice")
			if metrics["tidings_node_logins_total refused"] < float64(len(calls)) {
				t.Errorf("got %v, want that refused calls are counted", metrics)
			}
		})
	}
}

// tells reports a text that tells one of the secrets, a hash, or the header in which a client sends who it is.
func (g *guarded) tells(t *testing.T, what, text, who string, secrets ...string) {
	t.Helper()
	secrets = append(secrets, "$2a$", "Basic ")
	if who != "" {
		secrets = append(secrets, base64.StdEncoding.EncodeToString([]byte(who)))
	}
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			t.Errorf("%s tells %q: %s", what, secret, text)
		}
	}
}

// TestHeadersOfAllKinds: only one header of the right form is one, and two calls need none.
func TestHeadersOfAllKinds(t *testing.T) {
	t.Parallel()
	g := guard(t, user(t, "alice", "right"))
	trust, err := credentials.NewClientTLSFromFile(g.file(), "")
	if err != nil {
		t.Fatal(err)
	}
	connection, err := grpc.NewClient("localhost:"+g.port, grpc.WithTransportCredentials(trust))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	basic := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	for name, c := range map[string]struct {
		headers []string
		want    codes.Code
	}{
		"none":                   {nil, codes.Unauthenticated},
		"right":                  {[]string{"Basic " + basic("alice:right")}, codes.OK},
		"another spelling":       {[]string{"bASIC  " + basic("alice:right")}, codes.OK},
		"twice":                  {[]string{"Basic " + basic("alice:right"), "Basic " + basic("alice:right")}, codes.Unauthenticated},
		"a token":                {[]string{"Bearer " + basic("alice:right")}, codes.Unauthenticated},
		"not base64":             {[]string{"Basic alice:right"}, codes.Unauthenticated},
		"no colon":               {[]string{"Basic " + basic("alice")}, codes.Unauthenticated},
		"nothing":                {[]string{""}, codes.Unauthenticated},
		"no name":                {[]string{"Basic " + basic(":right")}, codes.Unauthenticated},
		"more than bcrypt reads": {[]string{"Basic " + basic("alice:"+strings.Repeat("x", 100))}, codes.Unauthenticated},
		"a long one":             {[]string{"Basic " + basic("alice:"+strings.Repeat("x", 1_000_000))}, codes.Internal},
	} {
		ctx := t.Context()
		for _, header := range c.headers {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", header)
		}
		if _, err := serverfeatures.NewServerFeaturesClient(connection).GetSupportedMethods(t.Context(), &shared.Empty{}); err != nil {
			t.Errorf("%s: features: %v", name, err)
		}
		if _, err := gossip.NewGossipClient(connection).Read(t.Context(), &shared.Empty{}); err != nil {
			t.Errorf("%s: gossip: %v", name, err)
		}
		_, err := streams.NewStreamsClient(connection).Tombstone(ctx, &streams.TombstoneReq{Options: &streams.TombstoneReq_Options{
			StreamIdentifier:       &shared.StreamIdentifier{StreamName: []byte("s-" + strings.ReplaceAll(name, " ", "-"))},
			ExpectedStreamRevision: &streams.TombstoneReq_Options_Any{Any: &shared.Empty{}},
		}})
		if status.Code(err) != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

// TestUsersAreReplaced while a subscription is open, which does not notice.
func TestUsersAreReplaced(t *testing.T) {
	t.Parallel()
	g := guard(t, user(t, "alice", "first"))
	follow := subscribe(t, connect(t, g.url("alice:first")))
	try := func(who string) bool {
		_, err := connect(t, g.url(who)).AppendToStream(t.Context(), "s", esdb.AppendToStreamOptions{}, proposal(strings.ReplaceAll(who, ":", "-")))
		if err != nil && codeOf(err) != esdb.ErrorCodeUnauthenticated {
			t.Fatalf("%s: %v", who, err)
		}
		return err == nil
	}
	if !try("alice:first") || try("alice:second") {
		t.Fatal("the users are not those of the file")
	}
	replace(t, g.users, []byte(user(t, "alice", "second")+"\n"+user(t, "bob", "bobs")))
	eventually(t, "the new password is taken", func() bool { return try("alice:second") })
	if try("alice:first") {
		t.Error("the old password is still taken")
	}
	if !try("bob:bobs") {
		t.Error("the new user is not taken")
	}

	replace(t, g.users, []byte("alice:plain-text"))
	eventually(t, "what is wrong is logged", func() bool {
		return try("alice:second") && strings.Contains(g.logged.String(), "the old users stay")
	})
	if err := os.Remove(g.users); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what is gone is logged", func() bool {
		return try("alice:second") && strings.Contains(g.logged.String(), "no such file")
	})
	replace(t, g.users, []byte(user(t, "carol", "carols")))
	eventually(t, "who is not there any more is not taken", func() bool { return !try("bob:bobs") })
	if strings.Contains(g.logged.String(), "plain-text") {
		t.Errorf("the log tells a password: %s", g.logged)
	}
	if got := follow(); got != "alice-first" {
		t.Errorf("the open subscription got %q, want what was appended first", got)
	}
	if !try("carol:carols") {
		t.Error("the newest user is not taken")
	}
}

func TestUsersFilesThatAreRefused(t *testing.T) {
	t.Parallel()
	const hash = "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
	dir := t.TempDir()
	for name, c := range map[string]struct{ text, says string }{
		"nothing":                  {"", "names no user"},
		"nothing but comments":     {"# alice:" + hash + "\n\n", "names no user"},
		"no hash":                  {"# who\nalice", ":2: a line is name:hash"},
		"a password in clear":      {"alice:secret", `:1: what follows the name "alice" is no bcrypt hash`},
		"another kind of hash":     {"alice:{SHA}fEqNCco3Yq9h5ZUglD3CZJT4lBs=", ":1: what follows"},
		"the broken kind":          {"alice:" + strings.Replace(hash, "2y", "2x", 1), ":1: what follows"},
		"a hash that is cut":       {"alice:" + hash[:59], ":1: what follows"},
		"a hash that goes on":      {"alice:" + hash + "secret", ":1: what follows"},
		"a hash of no cost":        {"alice:" + strings.Replace(hash, "$05", "$03", 1), ":1: what follows"},
		"a hash of years":          {"alice:" + strings.Replace(hash, "$05", "$31", 1), ":1: the hash of user \"alice\" has cost 31"},
		"nobody":                   {"\r\n:" + hash, ":2: \"\" is no user name"},
		"twice the same":           {"alice:" + hash + "\nbob:" + hash + "\nalice:" + hash, ":3: user \"alice\" is there twice"},
		"a control character":      {"a\tb:" + hash, ":1: \"a\\tb\" is no user name"},
		"more than can be meant":   {strings.Repeat("#\n", 1<<20), "at most 1048576 bytes"},
		"a line that does not end": {strings.Repeat("x", 100_000), "too long"},
	} {
		file := dir + "/" + strings.ReplaceAll(name, " ", "-")
		replace(t, file, []byte(c.text))
		_, err := node.OpenUsers(file, nil)
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: got %v, want the file and %q", name, err, c.says)
		}
		if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), hash[7:59])) {
			t.Errorf("%s: the error tells what must not be told: %v", name, err)
		}
	}
	if _, err := node.OpenUsers(dir+"/none", nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: got %v, want that it does not exist", err)
	}
}

// TestHashesOfAllKinds has a published one in the spelling of each program, with ends of lines of each system.
func TestHashesOfAllKinds(t *testing.T) {
	t.Parallel()
	const salted = "$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW" // of U*U
	g := guard(t, "a:$2a"+salted, "b:$2b"+salted+"\r", "# y", "", "  y:$2y"+salted+"  ", "")
	for _, name := range []string{"a", "b", "y"} {
		for password, good := range map[string]bool{"U%2AU": true, "U%2Au": false} {
			_, err := connect(t, g.url(name+":"+password)).AppendToStream(t.Context(), "s", esdb.AppendToStreamOptions{}, proposal("x"))
			if (err == nil) != good {
				t.Errorf("%s with %s: got %v, want that it is good: %t", name, password, err, good)
			}
		}
	}
}

// TestAHashedPassword is a line that a users file may have.
func TestAHashedPassword(t *testing.T) {
	t.Parallel()
	line, err := node.HashPassword("alice", []byte("right"))
	if err != nil {
		t.Fatal(err)
	}
	hash, ok := strings.CutPrefix(line, "alice:")
	if !ok || bcrypt.CompareHashAndPassword([]byte(hash), []byte("right")) != nil {
		t.Errorf("got %q, want alice and the hash of her password", line)
	}
	file := t.TempDir() + "/users"
	replace(t, file, []byte(line))
	if _, err := node.OpenUsers(file, nil); err != nil {
		t.Error(err)
	}
}

func TestPasswordsThatAreNotHashed(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 73)
	for name, c := range map[string]struct{ user, password, says string }{
		"no name":               {"", "p", "no user name"},
		"a colon in the name":   {"a:b", "p", "colon"},
		"a comment as a name":   {"#a", "p", "begins with #"},
		"a space at the end":    {"a ", "p", "spaces"},
		"two lines":             {"a", "p\nq", "line end"},
		"no password":           {"a", "", "empty"},
		"longer than is looked": {"a", long, "73 bytes"},
	} {
		_, err := node.HashPassword(c.user, []byte(c.password))
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), long) {
			t.Errorf("%s: got %v, want an error that says %q", name, err, c.says)
		}
	}
}

// TestFilesForEverybodyToRead are used, and the operator is told.
func TestFilesForEverybodyToRead(t *testing.T) {
	t.Parallel()
	g := guard(t, user(t, "alice", "right"))
	client := connect(t, g.url("alice:right"))
	if strings.Contains(g.logged.String(), "chmod") {
		t.Errorf("logged %q, want nothing of files that only their owner may read", g.logged)
	}
	for _, file := range []string{g.users, g.keyFile()} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		replace(t, file, append(text, '\n'))
		if err := os.Chmod(file, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "both are logged", func() bool {
		_ = g.shown(t)
		if _, err := client.AppendToStream(t.Context(), "s", esdb.AppendToStreamOptions{}, proposal("x")); err != nil {
			t.Fatal(err)
		}
		return strings.Count(g.logged.String(), "chmod") == 2
	})
}

// TestManyAtOnce: the password that all have is hashed once, so that none waits for long.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	g := guard(t, user(t, "alice", "right"))
	client := connect(t, g.url("alice:right"))
	failures := make(chan error, 200) // fewer than may wait for a hash at once
	var all sync.WaitGroup
	for i := range cap(failures) {
		all.Go(func() {
			_, err := client.AppendToStream(t.Context(), fmt.Sprint("s-", i), esdb.AppendToStreamOptions{}, proposal("x"))
			failures <- err
		})
	}
	all.Wait()
	close(failures)
	for err := range failures {
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := gather(t, g.gather); got["tidings_node_logins_total busy"] > 0 {
		t.Errorf("got %v, want nobody turned away", got)
	}
}
