package process

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// usage runs a program with arguments that it must refuse as wrong usage, and answers
// what it says.
func usage(t *testing.T, cli any, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	if got := Main(cli, "program", "", args, &stderr); got != exitUsage {
		t.Errorf("%q: got exit status %d, %s, want %d", args, got, stderr.String(), exitUsage)
	}
	return stderr.String()
}

// What says half of how tokens are checked must not leave the API open.
func TestHalfOfAccessControlIsRefused(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgres://nowhere/x")
	for _, args := range [][]string{
		{"--jwt-key="},
		{"--access="},
		{"--jwt-issuer="},
		{"--jwt-issuer=x"},
		{"--jwt-audience=x"},
		{"--jwt-algorithm=RS256"},
		{"--jwks-url=https://issuer.example/keys"},
		{"--jwks-url=", "--jwt-issuer=x", "--jwt-audience=y"},
		{"--query-token"},
		{"--access=open", "--jwt-key=x"},
		{"--listen=0.0.0.0:0"},
		{"--listen=127.0.0.1:0", "--monitor-listen=0.0.0.0:0"},
		{"--limit-user=commands=-1/s"},
		{"--daily-quota=-1"},
	} {
		if said := usage(t, &APICommand{}, args...); !strings.Contains(said, "--") {
			t.Errorf("%q: %q names no flag", args, said)
		}
	}
	for _, variable := range []string{"TIDINGS_JWT_KEY_FILE", "TIDINGS_JWT_SECRET", "TIDINGS_JWKS_URL", "TIDINGS_ACCESS"} {
		t.Run(variable+" is empty", func(t *testing.T) {
			t.Setenv(variable, "")
			if said := usage(t, &APICommand{}, "--listen=127.0.0.1:0"); !strings.Contains(said, variable) {
				t.Errorf("it says %q, which does not name the variable", said)
			}
		})
	}
}

func TestTheConfigurationFile(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgres://nowhere/x")
	file := filepath.Join(t.TempDir(), "config.json")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string]string{
		`{"nosuchflag":1}`:                          "nosuchflag",
		`{"limit-user":"bogus"}`:                    "--limit-user",
		`{"limit_user":"bogus"}`:                    "--limit-user",
		`{"jwt-key":["a"],"jwt_key":["b"]}`:         "twice",
		`["jwt-key"]`:                               "JSON object",
		`{"access":"open","jwt-key":["x"]}`:         "--access",
		`{"listen":"0.0.0.0:0","access":"required"`: "JSON object",
	} {
		write(text)
		if said := usage(t, &APICommand{}, "--config", file); !strings.Contains(said, want) {
			t.Errorf("%s: it says %q, want %q in it", text, said, want)
		}
	}

	write(`{"jwt-key":["a","b"],"limit_user":"commands=7/s","daily-quota":500,"log-level":"debug"}`)
	t.Setenv("TIDINGS_DAILY_QUOTA", "600")
	var command APICommand
	parser, err := newParser(&command, "api", kong.Bind(&invocation{name: "api"}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"--config", file, "--log-level", "error"}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(command.JWTKey, []string{"a", "b"}) || command.LimitUser != "commands=7/s" || command.DailyQuota != 600 || command.LogLevel.String() != "ERROR" {
		t.Errorf("got %q, %q, %d, %s: the file gives way to the environment, and both to flags",
			command.JWTKey, command.LimitUser, command.DailyQuota, command.LogLevel)
	}
}

// A key that was to be limited and is not would be worse than none.
func TestAKeyIsWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	type cli struct {
		Keys KeysCommand `cmd:""`
	}
	for _, args := range [][]string{
		{"--topics="}, {"--topics", "  "}, {"--topics=bad!topic"}, {"--topics=user:"}, {"--topics=user:a/b"}, {"--topics=a//b"},
		{"--scope="}, {"--scope=everything"}, {"--subject= ann"}, {"--subject=an\u200bn"}, {"--for=-1s"},
	} {
		if said := usage(t, &cli{}, append([]string{"keys", "create", "ci"}, args...)...); !strings.Contains(said, "--") {
			t.Errorf("%q: %q names no flag", args, said)
		}
	}
	c := KeysCreateCommand{Name: "ci", Scope: []string{"publish inbox", "publish"}, Topics: []string{"builds.*,user:team-*", "*"}}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Scope, []string{"inbox", "publish"}) || !slices.Equal(c.Topics, []string{"builds.*", "user:team-*", "*"}) {
		t.Errorf("got the scopes %q and topics %q", c.Scope, c.Topics)
	}
}
