package workload

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const secret = "eyJ0.fuer.niemand"

func TestATokenIsShownWithEveryRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake(1)
		f.refuse = func(r *http.Request) *http.Response {
			if got := r.Header.Get("Authorization"); got != "Bearer "+secret {
				return problem(http.StatusUnauthorized, "unauthorized", "shown "+got)
			}
			return nil
		}
		server := f.server()
		server.Token = secret
		w := generated(t, 1, Shape{Publishes: 10, Users: 3, Topics: 2})
		report, err := (&Import{Workload: w, Server: server}).Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		verdict, err := (&Verification{Workload: w, Server: server, Want: &Expect(w.Ops).Outcome, Notifications: report.Notifications, Last: report.Last}).Run(t.Context())
		if err != nil || len(verdict.Differences) > 0 {
			t.Errorf("verified: %+v, %v", verdict, err)
		}
		f.stragglers.Wait()
	})
}

// A token that is refused will be refused again.
func TestARefusedTokenIsFinal(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began, requests := time.Now(), 0
				refuses := roundTrip(func(*http.Request) (*http.Response, error) {
					requests++
					return problem(status, "token_refused", "it has no scope audit"), nil
				})
				server := &Server{URL: "http://fake", Token: secret, Client: &http.Client{Transport: refuses}}
				_, err := server.subscriptions(t.Context(), "u", 0)
				if err == nil || !strings.Contains(err.Error(), "it has no scope audit") || strings.Contains(err.Error(), secret) {
					t.Errorf("got %v, want the server's words and not the token", err)
				}
				if took := time.Since(began); requests != 1 || took != 0 {
					t.Errorf("asked %d times in %s, want once", requests, took)
				}
			})
		})
	}
}

// Whoever is redirected to by the server is not the server.
func TestATokenIsForItsServerAlone(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer other.Close()
	redirects := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	defer redirects.Close()
	server := &Server{URL: redirects.URL, Token: secret}
	_, err := server.subscriptions(t.Context(), "u", 0)
	if err == nil || !strings.Contains(err.Error(), "answered 307") || strings.Contains(err.Error(), secret) || asked.Load() > 0 {
		t.Errorf("got %v, and the other was asked %d times", err, asked.Load())
	}
}
