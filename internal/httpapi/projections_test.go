package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidings-io/tidings/internal/httpapi"
	"github.com/tidings-io/tidings/internal/queries"
)

// versions asks for the versions until they are as they should be.
func versions(t *testing.T, s *system, as func([]queries.Version) bool) {
	t.Helper()
	var answer struct {
		Items []queries.Version `json:"items"`
	}
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		response := s.do(t, http.MethodGet, "/v1/projections", "")
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
		if as(answer.Items) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("got the versions %+v", answer.Items)
		}
	}
}

func TestARebuildThroughTheAPI(t *testing.T) {
	t.Parallel()
	s := serveAll(t, httpapi.Config{})
	s.do(t, http.MethodPost, "/v1/notifications", `{"to":["user:alice"],"title":"t"}`)
	response := s.do(t, http.MethodPost, "/v1/projections/inbox/rebuild", `{"reason":"a test"}`)
	at, err := strconv.ParseUint(response.Header.Get("Tidings-Position"), 10, 64)
	if err != nil || response.StatusCode != http.StatusAccepted {
		t.Fatalf("rebuild: %s %v", response.Status, err)
	}
	versions(t, s, func(all []queries.Version) bool {
		return len(all) == 2 && all[0].State == "kept" && !all[0].Serving &&
			all[1].Serving && all[1].State == "running" && uint64(all[1].Position) >= at && all[1].Progress == 1
	})
	response = s.do(t, http.MethodGet, "/v1/users/alice/inbox", "")
	var page queries.InboxPage
	if err := json.NewDecoder(response.Body).Decode(&page); err != nil || len(page.Items) != 1 {
		t.Errorf("got the inbox %+v, %v, want the one item", page, err)
	}

	s.do(t, http.MethodPost, "/v1/projections/inbox/versions/1/activate", "")
	versions(t, s, func(all []queries.Version) bool { return len(all) == 2 && all[0].Serving && all[1].State == "kept" })
	s.do(t, http.MethodDelete, "/v1/projections/inbox/versions/2", "")
	versions(t, s, func(all []queries.Version) bool { return len(all) == 1 && all[0].State == "running" })
}

// TestTheOnlyWayBackIsNotDropped: while a rebuilt version has not taken over, the one
// that serves cannot be dropped.
func TestTheOnlyWayBackIsNotDropped(t *testing.T) {
	t.Parallel()
	s := serveAll(t, httpapi.Config{})
	versions(t, s, func(all []queries.Version) bool { return len(all) == 1 && all[0].Serving })
	s.do(t, http.MethodPost, "/v1/projections/inbox/pause", "")
	versions(t, s, func(all []queries.Version) bool { return all[0].State == "paused" })
	s.do(t, http.MethodPost, "/v1/projections/inbox/rebuild", "")
	versions(t, s, func(all []queries.Version) bool { return len(all) == 2 })

	response := s.do(t, http.MethodDelete, "/v1/projections/inbox/versions/1", "")
	var problem httpapi.Problem
	if err := json.NewDecoder(response.Body).Decode(&problem); err != nil || response.StatusCode != http.StatusConflict ||
		problem.Code != "version_wanted" || !strings.Contains(problem.Detail, "activate it") {
		t.Errorf("drop the one that serves: got %s %+v, %v", response.Status, problem, err)
	}
	s.do(t, http.MethodPost, "/v1/projections/inbox/versions/1/activate", "")
	if response := s.do(t, http.MethodDelete, "/v1/projections/inbox/versions/2", ""); response.StatusCode != http.StatusAccepted {
		t.Errorf("drop the one that did not take over: got %s", response.Status)
	}
	s.do(t, http.MethodPost, "/v1/projections/inbox/resume", "")
	versions(t, s, func(all []queries.Version) bool { return len(all) == 1 && all[0].Serving && all[0].State == "running" })
}
