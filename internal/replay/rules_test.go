package replay

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
)

// replayed plays a history into another instance, whose answers may be tampered with.
func replayed(t *testing.T, play Play, refuse func(*http.Request) *http.Response, do func(*instance)) (*instance, *Report, error) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 1))
	here, there := newInstance(t, random), newInstance(t, random)
	do(here)
	there.refuse = refuse
	var err error
	if play.Checkpoint, err = OpenCheckpoint(filepath.Join(t.TempDir(), "checkpoint"), pair); err != nil {
		t.Fatal(err)
	}
	play.Source, play.Target = (&Log{Server: here.server()}).Read, there.server()
	report, err := play.Run(t.Context())
	if closed := play.Checkpoint.Close(); closed != nil {
		t.Fatal(closed)
	}
	return there, report, err
}

func publish(t *testing.T, on *instance, title string) answer {
	t.Helper()
	return on.ask(t, http.MethodPost, "/v1/notifications", map[string]any{"to": []string{"user:ann"}, "title": title}, "X-Request-Id", "request-of-"+title)
}

// TestRefusals: what the other instance refuses for good is told, and what it refuses of whoever asks ends the replay.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for rule, c := range map[string]struct {
		status   int
		code     string
		strict   bool
		refused  int
		fails    string
		thereHas int // events, its own name among them
	}{
		"an event that does not fit is left out, and told":  {status: 422, code: "validation", refused: 1, thereHas: 3},
		"which fails where that is asked for":               {status: 422, code: "validation", strict: true, fails: "Published at 3", thereHas: 2},
		"a token that may not ends the replay":              {status: 403, code: "forbidden", fails: "forbidden", thereHas: 2},
		"who is not known ends it":                          {status: 401, code: "invalid_token", fails: "invalid_token", thereHas: 2},
		"a host that is not this API ends it":               {status: 404, code: "", fails: "404", thereHas: 2},
		"what others contend for is sent again, five times": {status: 409, code: "conflict", refused: 1, thereHas: 3},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				times := 0
				refuse := func(r *http.Request) *http.Response {
					if r.Header.Get("X-Request-Id") != "request-of-two" {
						return nil
					}
					times++
					return answered(r, c.status, `{"code":"`+c.code+`"}`)
				}
				there, report, err := replayed(t, Play{Strict: c.strict}, refuse, func(here *instance) {
					publish(t, here, "one")
					publish(t, here, "two")
					publish(t, here, "three")
				})
				if (err == nil) != (c.fails == "") || err != nil && !strings.Contains(err.Error(), c.fails) {
					t.Errorf("got %v, want it to say %q", err, c.fails)
				}
				if report.Refused != c.refused || c.refused > 0 && !strings.Contains(report.Refusals[0], "Published at 3 (notification-") {
					t.Errorf("got refusals %q, want %d", report.Refusals, c.refused)
				}
				if got := len(there.log(t)); got != c.thereHas {
					t.Errorf("got %d events there, want %d", got, c.thereHas)
				}
				if c.code == "conflict" && times != maxConflicts {
					t.Errorf("got it sent %d times, want %d", times, maxConflicts)
				}
			})
		})
	}
}

// TestWhatIsLeftOut is counted by why.
func TestWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		there, report, err := replayed(t, Play{}, nil, func(here *instance) {
			here.ask(t, http.MethodPost, "/v1/users/ann/tokens/revoke", nil)
			here.ask(t, http.MethodPost, "/v1/projections/inbox/pause", map[string]any{"reason": "r"})
			here.ask(t, http.MethodPost, "/v1/users/ann/inbox/read", map[string]any{"ids": []string{uuid.NewString()}})
			here.ask(t, http.MethodPost, "/v1/users/ann/inbox/read", map[string]any{"through": "3"})
			publish(t, here, "one")
		})
		if err != nil {
			t.Fatal(err)
		}
		if report.LeftOut[storeNamed] != 1 || report.LeftOut["TokensRevoked"] != 1 || report.LeftOut["ProjectionPaused"] != 1 || report.Void["ItemsRead"] != 2 {
			t.Errorf("got %v left out and %v void, want StoreNamed, TokensRevoked, ProjectionPaused and two ItemsRead", report.LeftOut, report.Void)
		}
		if got := types(there.log(t)); strings.Count(got, "\n") != 2 {
			t.Errorf("got more than the name and the publish:\n%s", got)
		}
	})
}

// TestBothAuditTrailsHaveTheSameCorrelations, so that they can be laid side by side.
func TestBothAuditTrailsHaveTheSameCorrelations(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		there, _, err := replayed(t, Play{}, nil, func(here *instance) { publish(t, here, "one") })
		if err != nil {
			t.Fatal(err)
		}
		if got, want := there.log(t)[1].Metadata.CorrelationID, "request-of-one"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// TestSpeed: events are as far apart as they were, divided by it, and long gaps are told.
func TestSpeed(t *testing.T) {
	t.Parallel()
	for rule, c := range map[string]struct {
		speed       float64
		least, most time.Duration
		told        string
	}{
		"as it happened":      {1, 10 * time.Minute, 11 * time.Minute, "is due in 10m"},
		"ten times as fast":   {10, time.Minute, 70 * time.Second, "is due in 1m"},
		"as fast as possible": {0, 0, 10 * time.Second, ""},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var told []string
				_, report, err := replayed(t, Play{Speed: c.speed, Notice: func(text string) { told = append(told, text) }}, nil, func(here *instance) {
					publish(t, here, "one")
					<-time.After(10 * time.Minute)
					publish(t, here, "two")
				})
				if err != nil {
					t.Fatal(err)
				}
				if report.Took < c.least || report.Took > c.most {
					t.Errorf("got %s, want %s to %s", report.Took, c.least, c.most)
				}
				if said := strings.Join(told, "\n"); !strings.Contains(said, c.told) || (c.told == "") != (said == "") {
					t.Errorf("got told %q, want %q", said, c.told)
				}
			})
		})
	}
}

// TestWhatThisProgramDoesNotKnowIsRefused rather than left out: who knows what it does.
func TestWhatThisProgramDoesNotKnowIsRefused(t *testing.T) {
	t.Parallel()
	for rule, c := range map[string]struct{ event, says string }{
		"a type":    {`{"type":"TopicArchived","data":{}}`, "does not know the type TopicArchived"},
		"a version": {`{"type":"Published","data":{},"metadata":{"schema_version":2}}`, "knows Published up to version 1, not 2"},
		"a form":    {`{"type":"Published","data":[]}`, "read what Published says"},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			var e Event
			if err := json.Unmarshal([]byte(c.event), &e); err != nil && !strings.Contains(err.Error(), "position") {
				t.Fatal(err)
			}
			if _, _, err := understand(&e); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want it to say %q", err, c.says)
			}
		})
	}
}

// TestALineForPeople has nothing in it that moves a cursor.
func TestALineForPeople(t *testing.T) {
	t.Parallel()
	e := Event{
		Position: 42, Type: "Published", Stream: "notification-1", At: time.Date(2026, 5, 3, 1, 2, 3, 4e6, time.Local), //nolint:gosmopolitan // as shown
		Data: json.RawMessage(`{"title":"` + "\x1b[2J" + strings.Repeat("é", 200) + `"}`), Metadata: Metadata{Actor: "ci\r"},
	}
	got := Line(&e, false)
	const want = `2026-05-03 01:02:03.004       42 Published           notification-1 by ci {"title":"[2Jéé`
	if !strings.HasPrefix(got, want) || strings.ContainsAny(got, "\x1b\r\n") || !strings.HasSuffix(got, "é…") {
		t.Errorf("got %q, want it to begin with %q", got, want)
	}
	if coloured := Line(&e, true); !strings.Contains(coloured, bold+"Published") {
		t.Errorf("got %q, want colours", coloured)
	}
}
