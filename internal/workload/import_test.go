package workload

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestImportEndsWhereTheFileSays(outer *testing.T) {
	outer.Parallel()
	rapid.Check(outer, func(t *rapid.T) {
		w := drawWorkload(t)
		f := newFake(rapid.Uint64().Draw(t, "seed"))
		f.latency = 20 * time.Millisecond
		f.trouble = rapid.SampledFrom([]float64{0, 0.3}).Draw(t, "trouble")
		work := &Import{Workload: w, Server: f.server(), Lookahead: rapid.IntRange(1, 50).Draw(t, "lookahead")}
		inBubble(outer, t, func(ctx context.Context) error {
			report, err := work.Run(ctx)
			f.stragglers.Wait()
			if err != nil {
				return err
			}
			if report.Resumed != 0 || report.Lines != len(w.Ops) {
				return fmt.Errorf("got %d of %d lines resumed, want none of %d", report.Resumed, report.Lines, len(w.Ops))
			}
			return outcomeError(w, f, report)
		})
	})
}

func TestImportKilledAnywhereAndRunAgainRepeatsNothing(outer *testing.T) {
	outer.Parallel()
	rapid.Check(outer, func(t *rapid.T) {
		w := drawWorkload(t)
		f := newFake(rapid.Uint64().Draw(t, "seed"))
		f.latency = 20 * time.Millisecond
		f.pageMax = 7
		f.trouble = rapid.SampledFrom([]float64{0, 0.2}).Draw(t, "trouble")
		kills := rapid.SliceOfN(rapid.IntRange(1, 50), 1, 5).Draw(t, "kills")
		inBubble(outer, t, func(ctx context.Context) error {
			for _, request := range kills {
				killed, cancel := f.killAt(ctx, request)
				_, err := (&Import{Workload: w, Server: f.server(), Concurrency: 8}).Run(killed)
				stopped := killed.Err() != nil
				cancel()
				f.stragglers.Wait()
				if err != nil && !stopped {
					return err
				}
			}
			f.seen = nil
			report, err := (&Import{Workload: w, Server: f.server()}).Run(ctx)
			if err != nil {
				return err
			}
			return outcomeError(w, f, report)
		})
	})
}

func TestImportOfADoneWorkloadSendsOnlyWhatTheLogCannotName(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := generated(t, 7, Shape{Publishes: 80, Users: 20, Topics: 6})
		f := newFake(1)
		run := func() *Report {
			report, err := (&Import{Workload: w, Server: f.server()}).Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return report
		}
		first, events := run(), len(f.log)
		again := run()
		if len(f.log) != events {
			t.Errorf("got %d events after the second run, want %d", len(f.log), events)
		}
		if left := again.Lines - again.Resumed; left > 5 {
			t.Errorf("got %d lines sent again, want only the last few without effect", left)
		}
		if diff := cmp.Diff(again.Notifications, first.Notifications); diff != "" {
			t.Errorf("notifications of the second run (-got +want):\n%s", diff)
		}
		if again.Last != first.Last {
			t.Errorf("got last position %d, want %d", again.Last, first.Last)
		}
	})
}

func TestTwoWorkloadsInOneLogDoNotMeet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake(3)
		for seed := range uint64(2) {
			w := generated(t, seed, Shape{Publishes: 40, Users: 10, Topics: 4})
			report, err := (&Import{Workload: w, Server: f.server()}).Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if report.Resumed != 0 || report.Replayed != 0 {
				t.Errorf("seed %d: got %d lines resumed and %d replayed, want none", seed, report.Resumed, report.Replayed)
			}
		}
	})
}

func TestImportStopsAtARefusedLineAndNamesIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := generated(t, 1, Shape{Publishes: 30, Users: 5, Topics: 3})
		refused := w.Ops[20]
		f := newFake(1)
		f.latency = time.Millisecond
		f.refuse = func(r *http.Request) *http.Response {
			if r.Header.Get("X-Request-Id") != w.correlation(refused.Line) {
				return nil
			}
			return answer(http.StatusUnprocessableEntity, map[string]any{
				"code": "invalid", "title": "Invalid", "detail": "no such thing",
				"errors": []map[string]string{{"field": "to[0]", "message": "is odd"}},
			})
		}
		_, err := (&Import{Workload: w, Server: f.server()}).Run(t.Context())
		f.stragglers.Wait()
		want := refused.String() + ": the server answered 422: invalid: Invalid: no such thing; to[0]: is odd"
		if err == nil || err.Error() != want {
			t.Errorf("got error %v\nwant %s", err, want)
		}
	})
}

func TestStoppingSaysHowFarItCame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := generated(t, 1, Shape{Publishes: 30, Users: 5, Topics: 3})
		f := newFake(1)
		f.latency = time.Millisecond
		ctx, cancel := f.killAt(t.Context(), 20)
		defer cancel()
		_, err := (&Import{Workload: w, Server: f.server(), Concurrency: 4}).Run(ctx)
		if err == nil || !strings.Contains(err.Error(), "stopped with ") || !strings.Contains(err.Error(), "killed at request 20") {
			t.Errorf("got error %v, want it to say that it stopped, where and why", err)
		}
		f.stragglers.Wait()
	})
}

func TestAServerThatIsAwayIsWaitedFor(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		away     *http.Response // nil cuts the connection
		lasts    time.Duration
		patience time.Duration
		retry    string
		fails    bool
		atLeast  time.Duration
	}{
		"a minute of cut connections is outlasted":      {lasts: time.Minute, atLeast: time.Minute},
		"a minute of 503 is outlasted":                  {away: problem(503, "store_unavailable", ""), lasts: time.Minute, atLeast: time.Minute},
		"a bad gateway is a server that is away":        {away: problem(502, "", ""), lasts: time.Second, atLeast: time.Second},
		"429 waits as long as it is told to":            {away: problem(429, "", ""), lasts: time.Second, retry: "30", atLeast: 30 * time.Second},
		"an hour is more than the usual patience":       {lasts: time.Hour, fails: true, atLeast: 2 * time.Minute},
		"patience can be less, and is not exceeded":     {lasts: time.Hour, patience: 10 * time.Second, fails: true, atLeast: 5 * time.Second},
		"a wait beyond the patience is not begun":       {away: problem(503, "", ""), lasts: time.Hour, retry: "3600", fails: true},
		"an answer that is no problem is not retried":   {away: problem(500, "bug", ""), lasts: time.Hour, fails: true},
		"a refused line fails at once, also in trouble": {away: problem(422, "invalid", ""), lasts: time.Hour, fails: true},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				f := newFake(1)
				down := roundTrip(func(r *http.Request) (*http.Response, error) {
					if time.Since(began) >= c.lasts {
						return f.RoundTrip(r)
					}
					if c.away == nil {
						return nil, errCut
					}
					again := *c.away
					again.Body = problem(c.away.StatusCode, "", "").Body
					again.Header = http.Header{"Retry-After": {c.retry}}
					return &again, nil
				})
				server := &Server{URL: "http://fake", Client: &http.Client{Transport: down}, Patience: c.patience}
				_, err := server.subscriptions(t.Context(), "u", 0)
				if (err != nil) != c.fails {
					t.Errorf("got error %v, want one: %t", err, c.fails)
				}
				if took := time.Since(began); took < c.atLeast || (c.patience > 0 && took > c.patience) {
					t.Errorf("got it done after %s, want at least %s and at most the patience", took, c.atLeast)
				}
			})
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestImportOverARealNetworkKeepsItsConnections(t *testing.T) {
	t.Parallel()
	f := newFake(1)
	var opened atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
		response, err := f.RoundTrip(r)
		if err != nil {
			panic(http.ErrAbortHandler) // cuts the connection
		}
		to.WriteHeader(response.StatusCode)
		_, _ = io.Copy(to, response.Body) // the client may have left
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)

	w := generated(t, 5, Shape{Publishes: 300, Users: 60, Topics: 40})
	report, err := (&Import{Workload: w, Server: &Server{URL: server.URL + "/", Client: NewClient()}, Concurrency: 16}).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := opened.Load(); got > 4*16 {
		t.Errorf("got %d connections opened for %d requests by 16 workers, want a few times 16 at most", got, len(w.Ops))
	}
	if err := outcomeError(w, f, report); err != nil {
		t.Error(err)
	}
}

// inBubble runs f in virtual time. A rapid.T must not fail inside of the bubble, hence the error.
func inBubble(outer *testing.T, t *rapid.T, f func(context.Context) error) {
	var err error
	synctest.Test(outer, func(inner *testing.T) { err = f(inner.Context()) })
	if err != nil {
		t.Fatal(err)
	}
}

func generated(t *testing.T, seed uint64, shape Shape) *Workload {
	t.Helper()
	w, err := Generate(seed, shape)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func drawWorkload(t *rapid.T) *Workload {
	w, err := sealed(drawOps(t))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// outcomeError holds the server's state, read directly, against the file.
func outcomeError(w *Workload, f *fake, report *Report) error {
	if twice := f.twice(); len(twice) > 0 {
		return fmt.Errorf("got lines that took effect twice: %v", twice)
	}
	must := Expect(w.Ops)
	if diff := cmp.Diff(f.inboxDirectly(), must.Inboxes, cmpopts.SortSlices(strings.Compare)); diff != "" {
		return fmt.Errorf("inboxes (-got +want):\n%s", diff)
	}
	if diff := cmp.Diff(f.membersDirectly(), members(w.Ops)); diff != "" {
		return fmt.Errorf("memberships (-got +want):\n%s", diff)
	}
	if len(report.Notifications) != must.Outcome.Publishes {
		return fmt.Errorf("got %d notifications reported, want %d", len(report.Notifications), must.Outcome.Publishes)
	}
	return nil
}

// members returns who follows what at the end, as "user topic".
func members(ops []Op) map[string]bool {
	last := map[string]bool{}
	for i := range ops {
		switch ops[i].Kind {
		case Subscribe:
			last[ops[i].User+" "+ops[i].Topic] = true
		case Unsubscribe:
			delete(last, ops[i].User+" "+ops[i].Topic)
		case Publish:
		}
	}
	return last
}
