package process

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tidings-io/tidings/internal/queries"
)

// TestTheTableOfVersions as operators see it.
func TestTheTableOfVersions(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	err := showVersions(&out, []queries.Version{
		{Name: "inbox", Version: 1, Serving: true, State: "halted", Position: 70, Head: 500, LagEvents: 43, Reason: "at position 70: why"},
		{Name: "inbox", Version: 2, State: "building", Position: 90, Head: 500, EventsPerSecond: 10.2, SecondsLeft: new(61.0)},
	})
	want := `NAME   VERSION  SERVES  STATE     POSITION  HEAD  LAG  EVENTS/S  LEFT  REASON
inbox  1        yes     halted    70        500   43   0               at position 70: why
inbox  2                building  90        500   0    10        1m1s  
`
	if err != nil || out.String() != want {
		t.Errorf("got %v\n%s, want\n%s", err, out.String(), want)
	}
}

// TestARebuildIsWaitedFor where there is no terminal for a bar: nothing is written,
// and it ends once the version serves, is ready where that is all, or is halted.
func TestARebuildIsWaitedFor(t *testing.T) {
	t.Parallel()
	const building = `{"version":2,"state":"building","position":"10","head":"20"}`
	cases := map[string]struct {
		takeover, then, want string
	}{
		"it serves":            {"auto", `{"version":2,"state":"running","serving":true}`, ""},
		"it is ready":          {"manual", `{"version":2,"state":"ready"}`, ""},
		"it is halted":         {"auto", `{"version":2,"state":"halted","halted":{"position":"70","reason":"why"}}`, "--position 70"},
		"there is no such API": {"auto", `<html>`, "read the answer"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var looks atomic.Int64
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				version := building
				if looks.Add(1) > 1 {
					version = c.then
				}
				_, _ = fmt.Fprintf(w, `{"items":[{"version":1,"state":"kept"},%s]}`, version) // the client notices
			}))
			defer api.Close()
			out, err := os.Create(filepath.Join(t.TempDir(), "out"))
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			command := ProjectionsRebuildCommand{Switch: c.takeover}
			command.URL = api.URL + "/"
			err = command.await(t.Context(), 2, out)
			if looks.Load() != 2 || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v after %d looks, want %q", err, looks.Load(), c.want)
			}
			if info, err := out.Stat(); err != nil || info.Size() != 0 {
				t.Errorf("wrote %d bytes, %v, want none", info.Size(), err)
			}
		})
	}
}

// TestWhatTheAPISaysIsSaid: problems by their code and what to do, and where nothing
// answers how to say where the API is.
func TestWhatTheAPISaysIsSaid(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ body, want string }{
		"a problem":      {`{"code":"version_wanted","detail":"activate another one"}`, "version_wanted: activate another one"},
		"something else": {`<html>`, "is this the API of tidings?"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, c.body, http.StatusConflict)
			}))
			defer api.Close()
			command := ProjectionsDropCommand{Version: 1}
			command.URL = api.URL
			if err := command.Run(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
