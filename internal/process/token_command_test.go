package process

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/tidings-io/tidings/internal/token"
)

const testSecret = "a secret that is known to everybody, for tests"

// parseToken reads flags as Main does.
func parseToken(t *testing.T, flags ...string) (*TokenCommand, error) {
	t.Helper()
	var cli struct {
		Token TokenCommand `cmd:""`
	}
	parser, err := kong.New(&cli, kong.Exit(func(int) { t.Error("the parser ended the program") }))
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.Parse(append([]string{"token"}, flags...))
	return &cli.Token, err
}

func TestTokensSayWhatTheFlagsDo(t *testing.T) {
	t.Parallel()
	everyday := []string{"publish", "subscribe", "inbox"}
	cases := map[string]struct {
		flags  []string
		scopes []string
		topics []string
		valid  time.Duration
	}{
		"a subject is enough":                 {nil, everyday, nil, time.Hour},
		"scopes have commas between them":     {[]string{"--scope", "audit,admin"}, []string{"audit", "admin"}, nil, time.Hour},
		"or spaces":                           {[]string{"--scope", "audit admin"}, []string{"audit", "admin"}, nil, time.Hour},
		"or flags of their own":               {[]string{"--scope=audit", "--scope=admin"}, []string{"audit", "admin"}, nil, time.Hour},
		"topics limit it":                     {[]string{"--topics=builds.*", "--topics", "ops"}, everyday, []string{"builds.*", "ops"}, time.Hour},
		"no topics named are no topics":       {[]string{"--topics="}, everyday, []string{}, time.Hour},
		"it is valid for as long as one says": {[]string{"--for", "90s"}, everyday, nil, 90 * time.Second},
		"issuer and audience are said":        {[]string{"--issuer", "us", "--audience", "them"}, everyday, nil, time.Hour},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command, err := parseToken(t, append([]string{"--sub", "ann"}, c.flags...)...)
			if err != nil {
				t.Fatal(err)
			}
			command.Key = "" // of whoever runs the tests
			now := time.Now()
			made, err := command.token(testSecret, now)
			if err != nil {
				t.Fatal(err)
			}
			got := verified(t, []byte(testSecret), token.Options{Issuer: command.Issuer, Audience: command.Audience}, made)
			if got.Subject != "ann" || !slices.Equal(got.Scopes, c.scopes) || !slices.Equal(got.Topics, c.topics) || (got.Topics == nil) != (c.topics == nil) {
				t.Errorf("got %+v, want %v and %v", got, c.scopes, c.topics)
			}
			if valid := got.Expires.Sub(got.IssuedAt); valid != c.valid || got.IssuedAt.UnixMicro() != now.UnixMicro() {
				t.Errorf("got valid for %s from %s, want %s from %s", valid, got.IssuedAt, c.valid, now)
			}
		})
	}
}

// verified is what the API would read.
func verified(t *testing.T, secret []byte, options token.Options, made string) token.Claims {
	t.Helper()
	key, err := token.ParseKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	options.Keys = []token.Key{key}
	verifier, err := token.NewVerifier(options)
	if err != nil {
		t.Fatal(err)
	}
	claims, err := verifier.Verify(t.Context(), made)
	if err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestTokenFlagsThatMeanNothing(t *testing.T) {
	t.Parallel()
	cases := map[string][]string{
		"a token is somebody's":            {},
		"it is valid for some time":        {"--sub", "ann", "--for", "0s"},
		"a secret is not shown in a flag":  {"--sub", "ann", "--secret", testSecret},
		"nor by the name of a signing key": {"--sub", "ann", "--jwt-secret", testSecret},
	}
	for name, flags := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := parseToken(t, flags...); err == nil {
				t.Errorf("%q was let through", flags)
			}
		})
	}
}

func TestANewKeyIsWrittenOnce(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "jwt.secret")
	command := TokenCommand{Sub: "ann", For: time.Minute, NewKey: file}
	made, err := command.token("", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, %v, want 0600", info.Mode(), err)
	}
	secret, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := verified(t, secret, token.Options{}, made); got.Subject != "ann" {
		t.Errorf("got %q, want ann", got.Subject)
	}
	if _, err := command.token("", time.Now()); err == nil {
		t.Error("the key was written over")
	}
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(after, secret) {
		t.Errorf("the key is another now, %v", err)
	}
	command = TokenCommand{Sub: "ann", For: time.Minute, Key: file}
	if made, err = command.token(testSecret, time.Now()); err != nil {
		t.Fatal(err)
	}
	verified(t, secret, token.Options{}, made) // the file's key, not the environment's
}

// TestErrorsOfTokensHoldNoSecret, whatever is wrong with it.
func TestErrorsOfTokensHoldNoSecret(t *testing.T) {
	t.Parallel()
	const short = "hunter2-hunter2"
	command := TokenCommand{Sub: "ann", For: time.Minute}
	for name, secret := range map[string]string{"none": "", "too short": short, "half a PEM": "-----BEGIN PRIVATE KEY-----\n" + short} {
		_, err := command.token(secret, time.Now())
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want an error without the secret", name, err)
		}
	}
}

func TestAPublicKeySignsNothing(t *testing.T) {
	t.Parallel()
	const public = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----
`
	command := TokenCommand{Sub: "ann", For: time.Minute}
	if made, err := command.token(public, time.Now()); err == nil {
		t.Errorf("got %s, want an error", made)
	}
}
