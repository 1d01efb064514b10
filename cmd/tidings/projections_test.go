package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestWhatProjectionsPrint of answers of the API.
func TestWhatProjectionsPrint(t *testing.T) {
	t.Parallel()
	const versions = `{"items":[{"name":"inbox","version":1,"state":"running","serving":true,"position":"7","head":"9"}]}` + "\n"
	answers := map[string]string{
		"/v1/projections": versions,
		"/v1/projections/inbox/versions/2/parity?limit=100&cursor=": `{"version":2,"against":1,"position":"7","users":9,"differing_users":2,` +
			`"items":[{"user":"ann","differences":[{"kind":"item","position":"5","difference":"only in version 2"}]}],"next_cursor":"ann"}`,
		"/v1/projections/inbox/versions/2/parity?limit=100&cursor=ann": `{"version":2,` +
			`"items":[{"user":"bob","differences":[{"kind":"preferences","position":"6","difference":"only in version 1"}]}],"next_cursor":""}`,
	}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, answers[r.URL.String()]) // the client notices
	}))
	t.Cleanup(api.Close)
	for args, want := range map[string]string{
		"status": "NAME   VERSION  SERVES  STATE    POSITION  HEAD  LAG  EVENTS/S  LEFT  REASON\n" +
			"inbox  1        yes     running  7         9     0    0               \n",
		"status --json": versions,
		"parity 2": "2 of 9 users differ between version 1 and version 2 at position 7\n" +
			"ann  item 5: only in version 2\nbob  preferences 6: only in version 1\n",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			cmd, said := program(t, append([]string{"projections"}, strings.Fields(args+" --url "+api.URL)...)...)
			got, err := cmd.Output()
			if err != nil || string(got) != want {
				t.Errorf("got %v %s\n%s, want\n%s", err, said, got, want)
			}
		})
	}
}
