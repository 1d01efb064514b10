package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings-io/tidings/internal/pulse"
)

// asks answers what a process without an API says of itself.
func asks(t *testing.T, handler http.Handler, path string) (status int, body string) {
	t.Helper()
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
	return w.Code, strings.TrimSpace(w.Body.String())
}

// TestLivezFailsForWedgedLoopsAlone, and slowly.
func TestLivezFailsForWedgedLoopsAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		loops := new(pulse.Loops)
		away := Check{Name: "eventstore", Ask: func(context.Context) error { return errors.New("connection refused") }}
		handler, err := Health(prometheus.NewRegistry(), loops, away)
		if err != nil {
			t.Fatal(err)
		}
		waits, works := loops.Begin("waits"), loops.Begin("works")
		waits.Beat()
		waits.Rest()
		for _, step := range []struct {
			rule   string
			do     func()
			status int
			stuck  string // "": none
		}{
			{"what it needs is away for an hour", func() { time.Sleep(time.Hour) }, http.StatusOK, ""},
			{"a loop is at work for less than the limit", func() { works.Beat(); time.Sleep(wedgedAfter - time.Second) }, http.StatusOK, ""},
			{"and for longer", func() { time.Sleep(2 * time.Second) }, http.StatusServiceUnavailable, "works"},
			{"it moves again", works.Beat, http.StatusOK, ""},
			{"it is stuck once more", func() { time.Sleep(time.Hour) }, http.StatusServiceUnavailable, "works"},
			{"it waits for others", works.Rest, http.StatusOK, ""},
		} {
			step.do()
			status, body := asks(t, handler, "/livez")
			var got liveness
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatalf("%s: got %s: %v", step.rule, body, err)
			}
			names := ""
			for name := range got.Stuck {
				names += name
			}
			if status != step.status || names != step.stuck {
				t.Errorf("%s: got %d %s, want %d and stuck %q", step.rule, status, body, step.status, step.stuck)
			}
		}
	})
}

func TestReadyzSaysHowFarItIsBehind(t *testing.T) {
	t.Parallel()
	there := func(context.Context) error { return nil }
	is := func(lag Lag) func(context.Context) (Lag, error) {
		return func(context.Context) (Lag, error) { return lag, nil }
	}
	for name, c := range map[string]struct {
		check  Check
		status int
		body   string
	}{
		"it is not behind": {
			Check{Ask: there, Lag: is(Lag{})}, http.StatusOK,
			`{"status":"ready","checks":{"inbox":{"state":"ready","lag_events":0,"lag_seconds":0}}}`,
		},
		"a read model that is behind is ready": {
			Check{Ask: there, Lag: is(Lag{Events: 7, Age: 1500 * time.Millisecond, Reason: "slow"})}, http.StatusOK,
			`{"status":"ready","checks":{"inbox":{"state":"behind","reason":"slow","lag_events":7,"lag_seconds":1.5}}}`,
		},
		"one that is being built is ready, and says so": {
			Check{Ask: there, Lag: is(Lag{Events: 7, Building: true, Reason: "first"})}, http.StatusOK,
			`{"status":"ready","checks":{"inbox":{"state":"building","reason":"first","lag_events":7,"lag_seconds":0}}}`,
		},
		"an unknown lag takes nobody out of service": {
			Check{Ask: there, Lag: func(context.Context) (Lag, error) { return Lag{}, errors.New("gone") }}, http.StatusOK,
			`{"status":"ready","checks":{"inbox":{"state":"ready","reason":"how far it is behind is not known: gone"}}}`,
		},
		"what is away says how far it is behind, too": {
			Check{Ask: func(context.Context) error { return errors.New("halted") }, Lag: is(Lag{Events: 7, Age: time.Second, Reason: "slow"})},
			http.StatusServiceUnavailable,
			`{"status":"away","checks":{"inbox":{"state":"away","reason":"halted","lag_events":7,"lag_seconds":1}}}`,
		},
		"a clock that is behind makes no lag negative": {
			Check{Ask: there, Lag: is(Lag{Events: 1, Age: -time.Second})}, http.StatusOK,
			`{"status":"ready","checks":{"inbox":{"state":"ready","lag_events":1,"lag_seconds":0}}}`,
		},
	} {
		c.check.Name = "inbox"
		handler, err := Health(prometheus.NewRegistry(), nil, c.check)
		if err != nil {
			t.Fatal(err)
		}
		if status, body := asks(t, handler, "/readyz"); status != c.status || body != c.body {
			t.Errorf("%s: got %d %s, want %d %s", name, status, body, c.status, c.body)
		}
	}
}

// TestWhatDoesNotAnswerIsAskedOnce, however often somebody asks whether it is there,
// and again once it has answered.
func TestWhatDoesNotAnswerIsAskedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		release := make(chan struct{})
		d := newDependencies([]Check{{Name: "live", Ask: func(context.Context) error {
			asked.Add(1)
			<-release
			return nil
		}}}, false, nil)
		for range 3 {
			if got := d.look(t.Context()).Status; got != stateAway || asked.Load() != 1 {
				t.Errorf("got %s after %d questions, want away after 1", got, asked.Load())
			}
			time.Sleep(time.Minute)
		}
		close(release)
		synctest.Wait()
		for want := int64(2); want < 4; want++ { // the late answer says nothing of now
			if got := d.look(t.Context()).Status; got != stateReady || asked.Load() != want {
				t.Errorf("got %s after %d questions, want ready after %d", got, asked.Load(), want)
			}
			time.Sleep(time.Minute)
		}
	})
}
