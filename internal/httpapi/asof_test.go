package httpapi_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/httpapi"
	"github.com/tidings-io/tidings/internal/queries"
)

// pastPaths can be asked of the past.
var pastPaths = []string{"/v1/users/alice/inbox", "/v1/users/alice/inbox/counts", "/v1/topics/builds/subscribers"}

// historian notes what it is asked to be of, and answers an error.
type historian struct {
	away

	asked []queries.AsOf
	err   error
}

func (h *historian) Inbox(_ context.Context, ask queries.InboxQuery, _ ...queries.AtLeast) (queries.InboxPage, error) {
	h.asked = append(h.asked, ask.AsOf)
	return queries.InboxPage{}, h.err
}

func (h *historian) Subscribers(_ context.Context, ask queries.SubscribersQuery, _ ...queries.AtLeast) (queries.Page[queries.Subscriber], error) {
	h.asked = append(h.asked, ask.AsOf)
	return queries.Page[queries.Subscriber]{}, h.err
}

func (h *historian) Counts(_ context.Context, _ events.User, of queries.AsOf, _ ...queries.AtLeast) (queries.Counts, error) {
	h.asked = append(h.asked, of)
	return queries.Counts{}, h.err
}

func TestWhatAnAnswerIsOf(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]queries.AsOf{
		"":                                     {},
		"?as_of=7":                             {Position: 7},
		"?as_of=0":                             {Time: time.Unix(0, 0).UTC()}, // and not now
		"?as_of=2026-01-31T12:00:00Z":          {Time: noon},
		"?as_of=2026-01-31T21:00:00%2B09:00":   {Time: noon},
		"?as_of=2026-01-31T12:00:00.123456Z":   {Time: noon.Add(123456 * time.Microsecond)},
		"?as_of=9223372036854775806&wait_for=": {Position: events.MaxPosition},
	} {
		for _, path := range pastPaths {
			reads := &historian{}
			response := serve(t, httpapi.Config{Reads: reads}).do(t, http.MethodGet, path+text, "")
			if response.StatusCode != http.StatusOK || len(reads.asked) != 1 || reads.asked[0] != want {
				t.Errorf("%s%s: %s, of %v; want %v", path, text, response.Status, reads.asked, want)
			}
		}
	}
}

func TestWhyThereIsNoAnswerOfThePast(t *testing.T) {
	t.Parallel()
	for code, err := range map[string]error{
		"validation":           queries.ErrAhead,
		"not_yet_projected":    queries.ErrNotYetProjected,
		"too_far_back":         queries.ErrTooFar,
		"store_unavailable":    events.ErrStoreUnavailable,
		"database_unavailable": queries.ErrUnavailable,
	} {
		s := serve(t, httpapi.Config{Reads: &historian{err: fmt.Errorf("test: %w", err)}})
		for _, path := range pastPaths {
			if p := problem(t, s.do(t, http.MethodGet, path+"?as_of=7", "")); p.Code != code {
				t.Errorf("%s: %v is answered with %+v", path, err, p)
			}
		}
	}
}

// What cannot answer of the past must not answer of now instead.
func TestAnAsOfIsNeverIgnored(t *testing.T) {
	t.Parallel()
	s := serve(t, httpapi.Config{Reads: &demanding{}})
	for _, path := range []string{
		"/v1/users/alice/subscriptions", "/v1/users/alice/preferences", "/v1/users/alice/inbox/stream", "/v1/topics", "/v1/topics/builds",
		"/v1/notifications/00000000-0000-4000-8000-000000000001", "/v1/audit/events",
		"/v1/notifications/00000000-0000-4000-8000-000000000001/explain", "/v1/projections", "/v1/projections/inbox/versions/2/parity",
	} {
		if p := problem(t, s.do(t, http.MethodGet, path+"?user=alice&as_of=7", "")); p.Code != "validation" || len(p.Errors) != 1 || p.Errors[0].Field != "as_of" {
			t.Errorf("%s: %+v", path, p)
		}
	}
}
