package process

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

// tool is what tidings is made of here.
type tool struct {
	ConfigFile ConfigFlag `name:"config"`

	Dev    DevCommand    `cmd:""`
	Node   NodeCommand   `cmd:""`
	Config ConfigCommand `cmd:""`
}

// inForce are the settings of a program that is given arguments, whether it would run
// with them or not.
func inForce(t *testing.T, program string, args ...string) []effective {
	t.Helper()
	given := &invocation{}
	parser, chosen, err := (ProgramFlags{Program: program}).parser(&invocation{name: "tidings", grammar: &tool{}}, given)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(slices.Concat(chosen, args))
	if wrong, ok := errors.AsType[*kong.ParseError](err); ok {
		parsed = wrong.Context
	} else if err != nil {
		t.Fatal(err)
	}
	return effectiveOf(parsed, given.file)
}

// samples are two values that a flag can have, neither of them its default.
func samples(flag *kong.Flag) [2]string {
	switch {
	case flag.Tag.Get(secretTag) == "url":
		return [2]string{"esdb://admin:hush@127.0.0.1:1", "esdb://admin:hush@127.0.0.1:2"}
	case flag.Tag.Has(secretTag):
		return [2]string{"hush-hush-hush", "hush-hush"}
	case flag.Enum != "":
		values := slices.DeleteFunc(flag.EnumSlice(), func(one string) bool { return one == "" })
		return [2]string{values[0], values[1]}
	}
	switch flag.Target.Interface().(type) {
	case time.Duration:
		return [2]string{"1h30m0s", "2m3s"}
	case slog.Level:
		return [2]string{"warn", "error"}
	}
	switch flag.Target.Kind() {
	case reflect.Bool:
		return [2]string{"true", "false"}
	case reflect.String, reflect.Slice:
		return [2]string{"one", "two"}
	case reflect.Float64:
		return [2]string{"0.5", "0.25"}
	default:
		return [2]string{"1000000", "7"}
	}
}

// shownAs is a sample as it must be shown.
func shownAs(flag *kong.Flag, sample string) string {
	switch {
	case flag.Tag.Get(secretTag) == "url":
		return strings.ReplaceAll(sample, "hush", "***")
	case flag.Tag.Has(secretTag):
		return "***"
	case flag.Target.Kind() == reflect.Slice:
		return "[" + sample + "]"
	default:
		return sample
	}
}

// TestEverySettingComesFromTheStrongestPlace, and is shown with it: a flag, else the
// environment, else a secret's file, else the file of settings. No secret is shown.
func TestEverySettingComesFromTheStrongestPlace(t *testing.T) { //nolint:paralleltest // it sets the environment
	clearSettings(t)
	dir := t.TempDir()
	for program, grammar := range map[string]*kong.Node{
		"api": grammarNamed(t, "api"), "projector": grammarNamed(t, "projector"), "dev": grammarNamed(t, "dev"), "node": grammarNamed(t, "serve"),
	} {
		for _, flag := range grammar.Flags {
			if flag.Name == "help" || flag.Name == "config" {
				continue
			}
			t.Run(program+" "+flag.Name, func(t *testing.T) {
				sample := samples(flag)
				file := filepath.Join(dir, "settings.json")
				write(t, file, fmt.Sprintf(`{%q: %q, "$note": 1}`, flag.Name, sample[0]))
				config := func(args ...string) []string {
					if program == "api" || program == "projector" {
						return append([]string{"--config", file}, args...)
					}
					return append(args, "--config", file)
				}
				check := func(value, from string, args ...string) {
					t.Helper()
					all := inForce(t, program, args...)
					i := slices.IndexFunc(all, func(one effective) bool { return one.name == flag.Name })
					if i < 0 {
						t.Fatalf("it is not shown: %v", all)
					}
					if got := fmt.Sprint(all[i].value); got != value || all[i].from != from {
						t.Errorf("got %s from %s, want %s from %s", got, all[i].from, value, from)
					}
					text, err := writeEffective(all)
					if err != nil || strings.Contains(string(text), hush) {
						t.Errorf("got %v, want no secret in %s", err, text)
					}
				}
				check(shownAs(flag, sample[0]), "file", config()...)
				for _, variable := range flag.Envs {
					if flag.Tag.Has(secretTag) {
						secret := filepath.Join(dir, "secret")
						write(t, secret, sample[1]+"\n")
						t.Setenv(variable+"_FILE", secret)
						check(shownAs(flag, sample[1]), "environment "+variable+"_FILE", config()...)
						if err := os.Unsetenv(variable + "_FILE"); err != nil {
							t.Fatal(err)
						}
					}
					t.Setenv(variable, sample[1])
					check(shownAs(flag, sample[1]), "environment "+variable, config()...)
				}
				check(shownAs(flag, sample[0]), "flag", config("--"+flag.Name+"="+sample[0])...)
			})
		}
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// grammarNamed is that of a program, or of a command of the tool.
func grammarNamed(t *testing.T, name string) *kong.Node {
	t.Helper()
	var found *kong.Node
	visit(grammarOf(), func(node *kong.Node) {
		if node.Name == name {
			found = node
		}
	})
	if found == nil {
		t.Fatalf("there is no %s", name)
	}
	return found
}

// clearSettings is for tests that say themselves what the environment has.
func clearSettings(t *testing.T) {
	t.Helper()
	for name := range variablesOf(grammarOf()) {
		if _, given := os.LookupEnv(name); given {
			t.Setenv(name, "") // so that it comes back
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestWhatIsShownIsAFileOfSettings that means the same.
func TestWhatIsShownIsAFileOfSettings(t *testing.T) { //nolint:paralleltest // it clears the environment
	clearSettings(t)
	for program, args := range map[string][]string{
		"api":       {"--database-url=postgres://127.0.0.1/x", "--limit-user=commands=5/s", "--jwt-key=a,b", "--insecure", "--jwt-skew=1m30s"},
		"projector": {"--database-url=host=/run/x dbname=y", "--inbox-keep-items=1000000", "--log-level=warn"},
		"dev":       {"--data=/tmp/x", "--cors-origins=https://a.example"},
		"node":      {"--min-free-mib=300", "--accept-loss"},
	} {
		text, err := writeEffective(inForce(t, program, args...))
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "shown.json")
		write(t, file, strings.Replace(string(text), `"***"`, `"host=/run/x dbname=y"`, 1))
		given := []string{"--config", file}
		again, err := writeEffective(inForce(t, program, given...))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(settingsIn(t, string(text)), settingsIn(t, string(again))); diff != "" {
			t.Errorf("%s (-shown +read again)\n%s", program, diff)
		}
	}
}

func settingsIn(t *testing.T, text string) map[string]any {
	t.Helper()
	file, err := readConfigFile("shown", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return file.values
}

func TestFilesOfSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		program, text string
		says          []string // each a part of a line of its own; none: it is in order
	}{
		"all is well":                     {"projector", `{"log-level":"debug","inbox_keep_age":"720h","$why":"a reason","listen":null}`, nil},
		"the environment may have more":   {"api", `{}`, nil},
		"a typo":                          {"api", `{"lisen":"127.0.0.1:0"}`, []string{`there is no setting "lisen" of api: is "listen" meant?`}},
		"nothing like it":                 {"api", `{"frobnicate":1}`, []string{`there is no setting "frobnicate" of api`}},
		"another program's":               {"projector", `{"store-listen":"127.0.0.1:0"}`, []string{`"store-listen" is a setting of tidings dev, not of projector`}},
		"a file in a file":                {"api", `{"config":"x"}`, []string{`there is no setting "config" of api`}},
		"all at once":                     {"projector", `{"a":1,"listen":["x"],"inbox-keep-items":"many","self-check-every":30}`, []string{`"a"`, `"listen" is not a text`, `"inbox-keep-items" is not a whole number (items): many`, `"self-check-every" is not a duration with its unit, such as 90s or 1h30m: 30`}},
		"a half":                          {"projector", `{"inbox-keep-items":1.5}`, []string{`is not a whole number (items): 1.5`}},
		"a million":                       {"projector", `{"inbox-keep-items":1000000}`, nil},
		"none of those":                   {"projector", `{"log-format":"xml"}`, []string{`"log-format" is not one of text, json: xml`}},
		"out of range":                    {"projector", `{"inbox-keep-items":-1,"inbox-keep-age":"-1s","fanout-store-limit":-1}`, []string{"--inbox-keep-items must not be negative", "--inbox-keep-age must not be negative", "--fanout-store-limit must not be negative"}},
		"what does not go together":       {"api", `{"tls-cert":"a.pem","readers-per-user":-3}`, []string{"--tls-cert and --tls-key go together", "--readers-per-user"}},
		"twice":                           {"api", `{"log-level":"info","log_level":"info"}`, []string{`has "log-level" twice`}},
		"no JSON":                         {"api", `{"listen":`, []string{"is no JSON object"}},
		"no object":                       {"api", `null`, []string{"is no JSON object"}},
		"two objects":                     {"api", `{} {}`, []string{"has something after its JSON object"}},
		"a masked secret":                 {"api", `{"database-url":"postgres://app:***@h/db"}`, []string{`"database-url" has *** where a secret was left out`}},
		"access that is said and empty":   {"api", `{"jwks-url":"","jwt-secret":"","access":"","jwt-issuer":""}`, []string{`"access" is given and empty`, `"jwks-url" is given and empty`, `"jwt-secret" is given and empty`, `"jwt-issuer" is given and empty`}},
		"a secret of a wrong kind":        {"api", `{"database-url":["hush"],"jwt-secret":{"hush":1}}`, []string{`"database-url" is not a text`, `"jwt-secret" is not a text`}},
		"an address with a secret in it":  {"api", `{"daily-quota":"postgres://app:hush@h/db"}`, []string{`"daily-quota" is not a whole number`}},
		"a command of the tool":           {"node", `{"data":"/x","min-free-mib":512}`, nil},
		"the other commands of the tool":  {"dev", `{"min-free-mib":-1}`, nil}, // one file may serve several commands
		"what the command itself refuses": {"node", `{"min-free-mib":-1}`, []string{"--min-free-mib is no amount of space"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "settings.json")
			write(t, file, c.text)
			// Whose environment is wrong says nothing of the file.
			cmd, words := program(t, "tidings", []string{"TIDINGS_ACCESS=", "TIDINGS_DAILY_QUOTA=many", "TIDINGS_LISTEN=nowhere"}, "config", "check", "--program", c.program, file)
			want := exitFailed
			if len(c.says) == 0 {
				want = 0
			}
			if got := status(t, cmd.Run()); got != want {
				t.Errorf("got status %d, want %d\n%s", got, want, words)
			}
			text := words.String()
			for _, says := range c.says {
				if !strings.Contains(text, says) {
					t.Errorf("got\n%s\nwant %q in it", text, says)
				}
			}
			if lines := strings.Count(text, file+":"); len(c.says) > 1 && lines != len(c.says) || strings.Contains(text, hush) {
				t.Errorf("got %d lines of flaws, want %d, and no secret\n%s", lines, len(c.says), text)
			}
		})
	}
}

// TestStrayVariablesAreWarnedOf, with what was probably meant.
func TestStrayVariablesAreWarnedOf(t *testing.T) {
	t.Parallel()
	got := strayVariables([]string{
		"HOME=/root", "TIDINGS_LISTEN=x", "TIDINGS_LISEN=x", "TIDINGS_ACESS=", "TIDINGS_SOMETHING_ELSE_ALTOGETHER=1", "TIDINGS_TEST_X=1",
		"TIDINGS_JWT_SECRET_FILE=x", "TIDINGS_LISTEN_FILE=x", "TIDINGS_NODE_DATA=x", "TIDINGS_TOKEN=x", "TIDINGS_POSTGRES_BIN=x", "TIDINGS_CA_FILE=x",
	}, variablesOf(grammarOf()))
	want := map[string]string{
		"TIDINGS_LISEN": "TIDINGS_LISTEN", "TIDINGS_ACESS": "TIDINGS_ACCESS", "TIDINGS_SOMETHING_ELSE_ALTOGETHER": "", "TIDINGS_LISTEN_FILE": got["TIDINGS_LISTEN_FILE"],
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	cmd, words := program(t, "api", []string{"TIDINGS_LISEN=hush"}, "--database-url=nothing", "--listen=127.0.0.1:0")
	_ = cmd.Run() // it fails for its address
	if text := words.String(); !strings.Contains(text, "variable=TIDINGS_LISEN meant=TIDINGS_LISTEN") || strings.Contains(text, hush) {
		t.Errorf("got %s, want a warning without the value", text)
	}
}

func TestWhatIsNearest(t *testing.T) {
	t.Parallel()
	names := slices.Collect(maps.Keys(flagsOf(grammarNamed(t, "api"))))
	for name, want := range map[string]string{
		"lisen": "listen", "listne": "listen", "log-leve": "log-level", "databse-url": "database-url", "jwt-issuers": "jwt-issuer",
		"listen": "listen", "frobnicate": "", "x": "", "": "",
	} {
		if got := nearest(name, names); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

// TestMaskedAddresses show where they lead, and nothing that may be a password.
func TestMaskedAddresses(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"postgres://app:hush@db.example:5432/x?sslmode=disable":     "postgres://app:***@db.example:5432/x?sslmode=disable",
		"postgres://app@db.example/x":                               "postgres://app@db.example/x",
		"postgres:///x?host=/run/pg&user=me":                        "postgres:///x?host=/run/pg&user=me",
		"postgres://app@db/x?password=hush&sslpassword=hush&port=1": "postgres://app@db/x?password=***&sslpassword=***&port=1",
		"esdb://admin:hush@a:2113,b:2113,c:2113?tls=true":           "esdb://admin:***@a:2113,b:2113,c:2113?tls=true",
		"esdb://127.0.0.1:2113?tls=false":                           "esdb://127.0.0.1:2113?tls=false",
		"esdb://[::1]:2113":                                         "esdb://[::1]:2113",
		"postgres://app:%68ush@h/x":                                 "postgres://app:***@h/x",
		"hush":                                                      "***",
		"host=localhost password=hush":                              "***",
		"postgres://app:hush":                                       "***",
		"postgres://app:12/hush@localhost/db":                       "***",
		"postgres://app:12#hush@localhost/db":                       "***",
		"postgres://app:p@hush/word@localhost/db":                   "***",
		"esdb://a:hush@b:1@c:port":                                  "***",
		"postgres://app:hush@local host/db":                         "***",
		"esdb://admin:hush@":                                        "***",
		"postgres://app:1?hush@localhost/db":                        "***",
	} {
		if got := masked(address); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}
