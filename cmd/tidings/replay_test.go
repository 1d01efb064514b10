package main

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	named     = `{"id":"018f2f6e-9a3b-7c4d-8e5f-60718293a4b5","stream":"store","revision":0,"position":"1","type":"StoreNamed","at":"2026-05-03T01:02:03Z","data":{},"metadata":{"actor":"tidings"}}`
	published = `{"id":"118f2f6e-9a3b-7c4d-8e5f-60718293a4b5","stream":"notification-218f2f6e-9a3b-7c4d-8e5f-60718293a4b5","revision":0,"position":"9","type":"Published","at":"2026-05-03T01:02:04Z","data":{"notification_id":"218f2f6e-9a3b-7c4d-8e5f-60718293a4b5","to":["user:ann"],"severity":"low","content":{"title":"red"}},"metadata":{"actor":"ci","$correlationId":"r-1","schema_version":1}}`
)

// trail is the audit trail of a log of two events; name is the id of the first.
func trail(t *testing.T, name string, also http.HandlerFunc) string {
	t.Helper()
	first := strings.Replace(named, "018f", name, 1)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := ""
		switch {
		case r.URL.Path == "/v1/audit/stream":
			body = "event: connected\nid: 9\ndata: {}\n\nevent: event\nid: 9\ndata: " + published + "\n\n"
		case r.URL.Path == "/v1/audit/events" && r.Header.Get("Accept") == "application/x-ndjson":
			for _, one := range []struct{ after, text string }{{"0", first}, {"0 1", published}} {
				if strings.Contains(one.after, r.URL.Query().Get("after")) {
					body += one.text + "\n"
				}
			}
		case r.URL.Path == "/v1/audit/events":
			body = `{"items":[` + first + `],"next_cursor":""}`
		case also != nil:
			also(w, r)
			return
		default:
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = io.WriteString(w, body) // the client notices
		if r.URL.Path == "/v1/audit/stream" {
			_ = http.NewResponseController(w).Flush() // as above
			<-r.Context().Done()
		}
	}))
	t.Cleanup(api.Close)
	return api.URL
}

// TestHowReplayAndTailAreUsed: 0 is done, 1 is not, 2 is wrong usage; and why is said.
func TestHowReplayAndTailAreUsed(t *testing.T) {
	t.Parallel()
	at := trail(t, "018f", nil)
	log := filepath.Join(t.TempDir(), "log.ndjson")
	if err := os.WriteFile(log, []byte(named+"\n"+published+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	refuses := trail(t, "318f", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, `{"code":"validation","detail":"no"}`) // the client notices
	})
	agrees := trail(t, "418f", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"items":[]}`) }) // the client notices
	for rule, c := range map[string]struct {
		args   string
		status int
		says   []string // on standard error or output
	}{
		"a replay to nowhere":                    {"replay", 2, []string{"--output FILE, --to URL and --dry-run"}},
		"a replay to two places":                 {"replay --to http://x --output f", 2, []string{"give one of"}},
		"a replay to what is no address":         {"replay --to localhost", 2, []string{"--to must be like"}},
		"a user of a file":                       {"replay --dry-run --user ann --from-file " + log, 2, []string{"--user and --topic"}},
		"a file of a file":                       {"replay --output f --from-file " + log, 2, []string{"the file is there already"}},
		"a speed that is negative":               {"replay --dry-run --speed=-1", 2, []string{"--speed"}},
		"nothing at once":                        {"replay --dry-run --concurrency 0", 2, []string{"--concurrency"}},
		"a time that is none":                    {"tail --from yesterday", 2, []string{"--from"}},
		"a tail of what is no address":           {"tail --url localhost", 2, []string{"--url must be like"}},
		"an instance that is not there":          {"replay --dry-run --patience 1ms --url http://127.0.0.1:1", 1, []string{"connection refused"}},
		"a log into itself":                      {"replay --url " + at + " --to " + at, 1, []string{"has the very log that is read"}},
		"a target that says yes to all":          {"replay --url " + at + " --to " + agrees + " --checkpoint " + filepath.Join(t.TempDir(), "c"), 1, []string{"the answer names no notification", "is it the API of tidings"}},
		"what a dry run counts":                  {"replay --dry-run --url " + at, 0, []string{"1 events would be played: Published 1", "left out, as they belong to the instance itself: StoreNamed 1"}},
		"the same of a file":                     {"replay --dry-run --from-file " + log, 0, []string{"1 events would be played: Published 1"}},
		"what is refused is told":                {"replay --url " + at + " --to " + refuses, 0, []string{"refused: 1", "Published at 9", "422: validation: no", "done up to position 9"}},
		"and fails where that is asked for":      {"replay --strict --from-file " + log + " --to " + refuses, 1, []string{"Published at 9", "is refused", "done up to position 1"}},
		"a file that it cannot go on with":       {"replay --url " + refuses + " --output " + log, 1, []string{"of another log"}},
		"a whole range on standard output":       {"replay --output - --url " + at, 0, []string{named + "\n" + published}},
		"a token file that is not there":         {"replay --dry-run --token-file nowhere --url " + at, 1, []string{"read the token"}},
		"a token of the other that is not there": {"replay --to-token-file nowhere --url " + at + " --to " + refuses, 1, []string{"read the token"}},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			cmd, said := program(t, strings.Fields(c.args)...)
			cmd.Dir = t.TempDir()
			cmd.Stdout = said
			if got := status(t, cmd.Run()); got != c.status {
				t.Errorf("tidings %s: got status %d, want %d", c.args, got, c.status)
			}
			for _, want := range c.says {
				if !strings.Contains(said.String(), want) {
					t.Errorf("tidings %s: got %q, want it to say %q", c.args, said, want)
				}
			}
		})
	}
}

// TestATokenIsShownToItsOwnInstanceAlone.
func TestATokenIsShownToItsOwnInstanceAlone(t *testing.T) {
	t.Parallel()
	shown := make(chan string, 10)
	there := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown <- r.Header.Get("Authorization")
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(there.Close)
	at := trail(t, "018f", nil)
	for rule, c := range map[string]struct{ env, want string }{
		"that of the source is for the source":    {"TIDINGS_TOKEN=secret", ""},
		"that of the other instance is for it":    {"TIDINGS_TO_TOKEN=other", "Bearer other"},
		"an empty one is as good as none at all ": {"TIDINGS_TO_TOKEN=", ""},
	} {
		t.Run(rule, func(t *testing.T) { // one after the other: they share what was shown
			cmd, said := program(t, "replay", "--url", at, "--to", there.URL)
			cmd.Dir = t.TempDir()
			cmd.Env = append(cmd.Env, c.env)
			if got := status(t, cmd.Run()); got != 1 {
				t.Errorf("got status %d, want 1: %s", got, said)
			}
			if got := <-shown; got != c.want {
				t.Errorf("got %q shown, want %q", got, c.want)
			}
		})
	}
}

// TestATailPrintsWhatCame, at once, and Ctrl-C is its end.
func TestATailPrintsWhatCame(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"tail --json":              published,
		"tail --after 0 --user ci": `9 Published           notification-218f2f6e-9a3b-7c4d-8e5f-60718293a4b5 by ci {"notification_id"`,
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			cmd, said := program(t, append(strings.Fields(args), "--url", trail(t, "018f", nil))...)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(out).ReadString('\n')
			if err != nil || !strings.Contains(line, want) {
				t.Errorf("got %q (%v), want it to hold %q: %s", line, err, want, said)
			}
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			if got := status(t, cmd.Wait()); got != 0 {
				t.Errorf("got status %d, want 0: %s", got, said)
			}
		})
	}
}
