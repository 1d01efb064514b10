package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/httpapi"
	"github.com/tidings-io/tidings/internal/queries"
)

// halted is a read model with two versions, of which one does not serve, and is halted.
type halted struct{ away }

func (halted) Projections(context.Context) ([]queries.Version, error) {
	return []queries.Version{
		{Name: "inbox", Version: 1, Serving: true, CaughtUp: true},
		{Name: "inbox", Version: 2, CaughtUp: true, Halted: &queries.Halt{Position: 7}},
	}, nil
}

// foreign are written without a request: package process holds what they say.
var foreign = []string{"StoreNamed", "KeyCreated", "KeyRevoked"}

// TestEveryEventSaysWhoWhyWhenAndWhere, whatever its kind.
func TestEveryEventSaysWhoWhyWhenAndWhere(t *testing.T) {
	t.Parallel()
	s := serve(t, httpapi.Config{Reads: halted{}})
	began := time.Now().Add(-time.Minute)
	do := func(method, path, body string) string {
		response := s.do(t, method, path, body, "Content-Type", "application/json", "X-Request-Id", "because")
		var answer struct {
			ID string `json:"id"`
		}
		if response.StatusCode >= http.StatusBadRequest {
			t.Fatalf("%s %s: %s", method, path, response.Status)
		}
		_ = json.NewDecoder(response.Body).Decode(&answer)
		return answer.ID
	}
	do(http.MethodPut, "/v1/users/ann/subscriptions/builds", "")
	do(http.MethodPut, "/v1/users/ann/subscriptions/builds", `{"min_severity":"high"}`)
	do(http.MethodDelete, "/v1/users/ann/subscriptions/builds", "")
	do(http.MethodPost, "/v1/topics/builds/subscribers", `{"add":["bob"]}`)
	do(http.MethodPut, "/v1/users/ann/preferences", `{"muted_topics":["builds"]}`)
	do(http.MethodPut, "/v1/topics/builds", `{"description":"d"}`)
	id := do(http.MethodPost, "/v1/notifications", `{"to":["user:ann"],"title":"t"}`)
	do(http.MethodPost, "/v1/notifications/batch", `{"notifications":[{"to":["user:ann"],"title":"t"},{"to":["user:ann"],"title":"u"}]}`)
	do(http.MethodPost, "/v1/alerts", `{"target":["@ann"],"message":"m"}`)
	for _, change := range []string{"seen", "read", "unread", "archive", "unarchive", "delete"} {
		do(http.MethodPost, "/v1/users/ann/inbox/"+change, `{"ids":["`+id+`"]}`)
	}
	do(http.MethodDelete, "/v1/notifications/"+id, "")
	do(http.MethodPost, "/v1/users/ann/tokens/revoke", "")
	do(http.MethodPost, "/v1/projections/inbox/rebuild", `{"switch":"manual"}`)
	do(http.MethodPost, "/v1/projections/inbox/rebuild", `{"switch":"manual"}`)
	do(http.MethodPost, "/v1/projections/inbox/versions/2/activate", "")
	do(http.MethodPost, "/v1/projections/inbox/versions/1/activate", "")
	do(http.MethodDelete, "/v1/projections/inbox/versions/2", "")
	do(http.MethodPost, "/v1/projections/inbox/pause", "")
	do(http.MethodPost, "/v1/projections/inbox/resume", "")
	do(http.MethodPost, "/v1/projections/inbox/skip", `{"position":"7","reason":"r"}`)

	var page struct {
		Items []struct {
			Stream   string          `json:"stream"`
			Type     string          `json:"type"`
			Revision *uint64         `json:"revision"`
			Position events.Position `json:"position"`
			At       time.Time       `json:"at"`
			Metadata struct {
				Command     string `json:"command_id"`
				Correlation string `json:"$correlationId"`
				Causation   string `json:"$causationId"`
				Actor       string `json:"actor"`
			} `json:"metadata"`
		} `json:"items"`
	}
	if err := json.NewDecoder(s.do(t, http.MethodGet, "/v1/audit/events?limit=1000", "").Body).Decode(&page); err != nil {
		t.Fatal(err)
	}
	seen := foreign
	for _, e := range page.Items {
		m := e.Metadata
		ofAppend := strings.HasPrefix(e.Stream, "batch-") // decision 3: a batch's cause tells its appends apart
		if m.Actor != "dev" || m.Correlation != "because" || m.Causation == "" || m.Causation != m.Command && !ofAppend {
			t.Errorf("%s at %s: got the actor %q, correlation %q, causation %q of command %q", e.Type, e.Position, m.Actor, m.Correlation, m.Causation, m.Command)
		}
		if e.Stream == "" || e.Revision == nil || e.Position == 0 || e.At.Before(began) {
			t.Errorf("%s: got stream %q, revision %v, position %s, at %s", e.Type, e.Stream, e.Revision, e.Position, e.At)
		}
		seen = append(seen, e.Type)
	}
	for _, kind := range kindsStored(t) {
		if !slices.Contains(seen, kind) {
			t.Errorf("no %s was asked for", kind)
		}
	}
}

// kindsStored are all types that were ever stored.
func kindsStored(t *testing.T) (kinds []string) {
	t.Helper()
	files, err := filepath.Glob("../events/testdata/stored/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stored events: %v", err)
	}
	for _, file := range files {
		kind, _, _ := strings.Cut(filepath.Base(file), ".")
		kinds = append(kinds, kind)
	}
	return slices.Compact(kinds)
}
